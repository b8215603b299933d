//! What shells, the system and the desktop of the owner read.
//!
//! These run without anybody calling them by name: at a login, on entering a directory, at a time, on a click.

use super::{ReasonCode, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        patterns: "
            .bashrc .bash_* .bash.* .profile .profile.d/ profile.d/ .zshrc .zshrc.* .zshenv .zprofile
            .zlogin .zlogout .zsh/ .kshrc .mkshrc .shrc .cshrc .tcshrc .login .logout .inputrc .xinitrc
            .xserverrc .xprofile .xsession .xsessionrc .xresources .xdefaults config.fish **/fish/conf.d/
            **/fish/functions/ **/.config/fish/ .tmux.conf .tmux/ tmux.conf .screenrc .wgetrc .curlrc
            _curlrc .ssh/ .lessfilter .lesskey .lessopen .nanorc .psqlrc .sqliterc .duckdbrc .mongorc.js
            .mongoshrc.js .starship.toml starship.toml *profile.ps1 .elvish/ .nushell/ **/nushell/*.nu
            **/.config/environment.d/ .pam_environment .forward .procmailrc .mailcap .muttrc
        ",
        reason: ReasonCode::Shell,
        why: "a shell, or a program used in one, reads and runs it when it starts",
    },
    Row {
        patterns: "
            .envrc .envrc.* .env .env.* .direnv/ .direnvrc direnv.toml mise.toml .mise.toml mise.*.toml
            .mise.*.toml .mise/ mise-tasks/ **/mise/tasks/ **/.config/mise/ **/.config/mise.toml
            **/.config/direnv/ .rtx.toml .tool-versions .asdfrc .autoenv .autoenv.* .shadowenv.d/ .flaskenv
            .dev.vars .env.sh env.fish .ondir proto.toml .prototools .pkgx.yaml pkgx.yaml .flox/ .envfile
        ",
        reason: ReasonCode::Environment,
        why: "it sets variables or runs commands when this directory is entered, or when the application starts",
    },
    Row {
        patterns: "
            crontab crontab.* *.crontab *.cron cron.d/ cron.hourly/ cron.daily/ cron.weekly/ cron.monthly/
            anacrontab *.timer launchagents/ launchdaemons/
        ",
        reason: ReasonCode::Scheduled,
        why: "it is a timer or a table of commands that run at a time",
    },
    Row {
        patterns: "
            *.service *.socket *.mount *.automount *.path *.target *.slice **/systemd/system/
            **/systemd/user/ *.nspawn init.d/ rc.d/ rc.local *.plist supervisord.conf xinetd.d/ inetd.conf
            **/udev/rules.d/ sudoers sudoers.d/ pam.d/ logrotate.d/ logrotate.conf modprobe.d/
            modules-load.d/ tmpfiles.d/ sysctl.d/ polkit-1/ dbus-1/ apt.conf.d/ **/etc/passwd
            authorized_keys *.container *.kube *.pod *.upstart s6-rc.d/ runit/ ecosystem.config.* doas.conf
        ",
        reason: ReasonCode::Service,
        why: "a service manager, or another part of the system, starts what it names",
    },
    Row {
        patterns: "
            .htaccess web.config .user.ini php.ini nginx.conf httpd.conf caddyfile *.cgi *.fcgi *.wsgi
            uwsgi.ini gunicorn.conf.py
        ",
        reason: ReasonCode::Service,
        why: "a web server takes commands, handlers or start files from it",
    },
    Row {
        patterns: "
            *.desktop autostart/ *.directory *.url *.webloc *.website *.lnk *.scf autorun.inf desktop.ini
            *.library-ms *.search-ms *.appref-ms *.settingcontent-ms *.hta *.reg *.command *.terminal *.scpt
            *.scptd/ *.applescript *.workflow/ *.action/ *.app/ *.appimage *.run *.pkg *.mpkg *.mobileconfig
            *.thumbnailer *.nemo_action *.rdp *.diagcab *.inetloc *.fileloc *.jnlp *.chm *.application
            *.gadget
        ",
        reason: ReasonCode::Desktop,
        why: "opening it in a file manager starts a program or an address that it names",
    },
    Row {
        patterns: "
            ld.so.preload ld.so.conf ld.so.conf.d/ ld.so.cache openssl.cnf openssl.conf gconv-modules *.la
            pkcs11.conf nsswitch.conf loaders.cache *.dll.config *.exe.config *.exe.manifest
            *.runtimeconfig.json *.deps.json
        ",
        reason: ReasonCode::Loader,
        why: "the dynamic loader or a library brings what it names into programs",
    },
    Row {
        patterns: "
            *.pth *._pth sitecustomize.py usercustomize.py pyvenv.cfg .pythonrc .pythonrc.py .pdbrc
            .pdbrc.py .ipython/ ipython_config.py ipython_kernel_config.py jupyter_*_config.py
            jupyter_*_config.json .jupyter/ *.egg-link *.dist-info/ *.egg-info/ .rprofile .renviron
            rprofile.site .irbrc .pryrc .rdbgrc .iex.exs .erlang .ghci ghci.conf .utoprc .ocamlinit
            .ocamlinit.ml .replyrc .node_repl.js .noderc .perldb .phpdbginit **/.julia/config/ .lein/
            .clojure/ .guile .sbclrc .clisprc .swiplrc init.pl .luarc .tclshrc .wishrc .octaverc .maxima/
            .sagerc .phpsh .tsnoderc .jshellrc __pycache__/
        ",
        reason: ReasonCode::InterpreterStartup,
        why: "an interpreter runs it when it starts, before the program that was meant",
    },
];
