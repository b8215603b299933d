//! Which packages are taken in, from where, and the scripts that they run.
//!
//! What changed within a lock file is told by `review::lock`.

use super::{ReasonCode, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        patterns: "
            cargo.lock package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml pnpm-lock.*.yaml
            bun.lock bun.lockb deno.lock poetry.lock uv.lock *.py.lock pdm.lock pdm.*.lock pylock.toml
            pylock.*.toml pipfile.lock conda-lock.yml conda-lock.yaml *.conda-lock.yml pixi.lock
            requirements*.txt *requirements.txt requirements/*.txt **/requirements/*.txt constraints*.txt
            gemfile.lock *.gemfile.lock gems.locked composer.lock symfony.lock go.sum go.work.sum gopkg.lock
            glide.lock mix.lock rebar.lock pubspec.lock podfile.lock package.resolved cartfile.resolved
            packages.lock.json paket.lock flake.lock npins/ stack.yaml.lock cabal.project.freeze
            gradle.lockfile *.lockfile buildscript-gradle.lockfile verification-metadata.xml
            **/dependency-locks/ module.bazel.lock maven_install.json .terraform.lock.hcl chart.lock
            requirements.lock shard.lock dub.selections.json manifest.toml renv.lock packrat.lock conan.lock
            mise.lock devbox.lock devenv.lock berksfile.lock puppetfile.lock cpanfile.snapshot *.resolved
            elm-stuff/ foundry.lock soldeer.lock jsr.lock rokit.lock wally.lock aftman.lock vcpkg-lock.json
            buf.lock skaffold.lock helmfile.lock kustomize.lock vendir.lock.yml xmake-requires.lock
        ",
        reason: ReasonCode::LockFile,
        why: "it pins what is downloaded and run at the next installation",
    },
    Row {
        patterns: "
            package.json package.json5 package.yaml composer.json lerna.json nx.json project.json turbo.json
            turbo.jsonc rush.json **/common/config/rush/ .nx/ wireit.json deno.json deno.jsonc
            import_map.json bower.json .bowerrc jsr.json binding.gyp *.gypi *.gyp .pnpmfile.* pnpmfile.*
            .pnp.* .yarn/
        ",
        reason: ReasonCode::PackageScripts,
        why: "a package manager runs its scripts, and installs what it names",
    },
    Row {
        patterns: "
            .npmrc npmrc .yarnrc .yarnrc.* pnpm-workspace.yaml bunfig.toml .bunfig.toml pip.conf pip.ini
            uv.toml poetry.toml pdm.toml .pdm.toml .condarc condarc .mambarc .bundle/ .gemrc .nuget/
            nuget.config **/.config/dotnet-tools.json .m2/ .mvn/ .mavenrc .gradle/ .ivy2/ .sbt/ .sbtopts
            .jvmopts .coursier/ .pypirc .cargo/ auth.json .composer/ .cpanrc .pub-cache/ .hex/ .opam/
            .cabal/ .stack/ .conan/ .conan2/ conan.conf vcpkg-configuration.json .netrc _netrc goproxy.conf
        ",
        reason: ReasonCode::Toolchain,
        why: "it decides where packages come from, whether their scripts run, and which program runs them",
    },
    Row {
        patterns: "
            rust-toolchain rust-toolchain.toml .python-version .python-versions .ruby-version .ruby-gemset
            .rvmrc .node-version .nvmrc .java-version .sdkmanrc .go-version .terraform-version
            .opentofu-version .terragrunt-version .tool-version .bazelversion .bazeliskrc .scala-version
            .perl-version .php-version .lua-version .crystal-version .swift-version .elixir-version .dvmrc
            .bun-version .deno-version .packer-version .helm-version .xcode-version .exenv-version .jabbarc
            .mill-version global.json .nvm/ volta.json .volta/ .fvmrc .fvm/ rokit.toml aftman.toml
            foreman.toml aqua.yaml .aqua/ hermit.hcl
        ",
        reason: ReasonCode::Toolchain,
        why: "it chooses which compiler or interpreter runs; some managers download it, or take a path",
    },
    Row {
        patterns: "
            requirements*.in requirements/*.in pipfile pyproject.toml setup.cfg environment.yml
            environment.yaml environment.*.yml conda.yaml pixi.toml gemfile *.gemfile gems.rb *.gemspec
            cargo.toml go.mod go.work gopkg.toml pubspec.yaml podfile cartfile *.podspec package.swift
            packages.config paket.dependencies paket.references directory.packages.props deps.edn *.rockspec
            *.opam *.cabal cabal.project cabal.project.* stack.yaml cpanfile dub.json dub.sdl shard.yml
            *.nimble elm.json spago.yaml spago.dhall bsconfig.json rescript.json vcpkg.json conanfile.txt
            *.wrap .gclient west.yml *.repos renv.lock.json gleam.toml buf.yaml brewfile apt.txt
            packages.txt dvc.yaml plugins.sbt wally.toml berksfile puppetfile thirdparty.json
        ",
        reason: ReasonCode::Dependencies,
        why: "it names what is downloaded, built and run at the next installation",
    },
];
