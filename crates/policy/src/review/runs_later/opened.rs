//! What runs when it is opened, loaded or called, whichever project it lies in.
//!
//! Judged by the end of the name; `runs_later` also looks at how a content begins.

use super::{ReasonCode, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        patterns: "
            *.ipynb *.rmd *.qmd *.rnw *.nb *.livemd *.pynb *.dib *.nbx *.zpln *.sagews *.runme.md *.deepnote
        ",
        reason: ReasonCode::Notebook,
        why: "its cells, and code that its outputs hold, run when it is opened and started",
    },
    Row {
        patterns: "
            *.docm *.dotm *.xlsm *.xltm *.xlam *.xlsb *.pptm *.potm *.ppsm *.ppam *.sldm *.doc *.xls *.xlt
            *.xla *.xll *.wll *.ppt *.pps *.rtf *.odt *.ott *.ods *.ots *.odp *.otp *.odg *.odb *.odf *.oxt
            *.one *.onepkg *.slk *.iqy *.dqy *.oqy *.rqy *.accdb *.accde *.mdb *.mde *.vsdm *.vstm *.bas
            *.fcmacro *.fcstd *.blend *.pdf *.ps *.eps
        ",
        reason: ReasonCode::Macros,
        why: "an office program runs its macros, or fetches what it links to, when it is opened",
    },
    Row {
        patterns: "
            *.pkl *.pickle *.joblib *.dill *.cloudpickle *.pt *.ckpt *.pytorch *.npy *.npz *.h5 *.hdf5
            *.keras *.rds *.rda *.rdata *.ser *.shelve *.marshal *.torch *.t7 *.skops *.savedmodel/
        ",
        reason: ReasonCode::Pickle,
        why: "it can run code when it is loaded",
    },
    Row {
        patterns: "
            *.so *.so.[0-9]* *.dylib *.framework/ *.dll *.exe *.com *.msi *.msp *.msix *.msixbundle *.appx
            *.appxbundle *.scr *.cpl *.sys *.ocx *.drv *.efi *.ko *.ko.* *.o *.obj *.lo *.a *.lib *.rlib
            *.rmeta *.jar *.war *.ear *.aar *.jmod *.class *.dex *.apk *.aab *.ipa *.whl *.egg *.pyc *.pyo
            *.pyd *.pyz *.pyzw *.gem *.nupkg *.snupkg *.vsix *.crx *.xpi *.deb *.udeb *.rpm *.snap *.flatpak
            *.wasm *.node *.elc *.eln *.beam *.ez *.luac *.phar *.crate *.elf *.axf *.uf2 *.bin *.swf
            *.gresource *.pdb *.nro *.prx *.spkg *.love *.asar *.dmg *.iso *.img *.qcow2 *.vmdk *.vdi *.ova
            *.kext/ *.vst3/
        ",
        reason: ReasonCode::Binary,
        why: "it is compiled code or an archive of it, and can't be read in a review",
    },
    Row {
        patterns: "
            *.html *.htm *.html.* *.xhtml *.xht *.shtml *.dhtml *.mht *.mhtml *.maff *.svg *.svgz *.xsl
            *.xslt *.xul *.epub *.user.js *.user.css *.manifest.json service-worker.js sw.js *.webmanifest
            *.bookmarklet crossdomain.xml *.htc *.sct *.wsc
        ",
        reason: ReasonCode::Page,
        why: "it runs its scripts, or loads what it links to, when a browser opens it",
    },
    Row {
        patterns: "
            *.sh *.bash *.zsh *.fish *.ksh *.csh *.tcsh *.ash *.dash *.nu *.elv *.xsh *.ps1 *.psm1 *.psd1
            *.ps1xml *.bat *.cmd *.btm *.vbs *.vbe *.jse *.wsf *.wsh *.ahk *.au3 *.kix *.awk *.sed
            *.expect *.tcl *.osa *.jxa *.gdb *.lldb *.ipy *.vbscript *.amm *.zx.mjs *.xonsh **/bin/*.py
            **/bin/*.js **/bin/*.rb **/bin/*.pl **/bin/*.php **/scripts/*.py **/scripts/*.js **/scripts/*.ts
            **/scripts/*.mjs **/scripts/*.rb **/scripts/*.pl **/scripts/*.lua *.osts *.kts *.groovy *.gvy
        ",
        reason: ReasonCode::Script,
        why: "it is a script by its name",
    },
];
