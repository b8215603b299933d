//! Build files, scripts of builds, and runners of tasks that belong to no one language.
//!
//! A build runs what these say, with the owner's rights, as soon as somebody types its name.

use super::{ReasonCode, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        patterns: "
            makefile gnumakefile bsdmakefile makefile.* makefile-* *.mk *.mak *.make kbuild kconfig
            kconfig.* makevars makevars.*
        ",
        reason: ReasonCode::Build,
        why: "make runs its recipes",
    },
    Row {
        patterns: "
            cmakelists.txt *.cmake *.cmake.in cmakepresets.json cmakeuserpresets.json .cmake/
        ",
        reason: ReasonCode::Build,
        why: "CMake runs its commands when the build is configured, which editors do by themselves",
    },
    Row {
        patterns: "
            meson.build meson.options meson_options.txt *.meson
        ",
        reason: ReasonCode::Build,
        why: "Meson runs it when the build is configured",
    },
    Row {
        patterns: "
            configure configure.ac configure.in configure.py *.m4 *.am *.ac autogen.sh bootstrap buildconf
            config.guess config.sub install-sh ltmain.sh
        ",
        reason: ReasonCode::Build,
        why: "it is run, or turned into what is run, when the build is configured",
    },
    Row {
        patterns: "
            build build.bazel workspace workspace.bazel workspace.bzlmod module.bazel *.module.bazel *.bzl
            *.bazel .bazelrc *.bazelrc .bazelproject buck .buckconfig .buckconfig.* buck2 *.bxl build.pants
            pants.toml pants.ini .plzconfig .plzconfig.* build.plz
        ",
        reason: ReasonCode::Build,
        why: "Bazel or one of its relatives runs its rules",
    },
    Row {
        patterns: "
            build.ninja *.ninja build.gn .gn *.gn *.gni sconstruct sconscript *.scons wscript waf
            premake*.lua xmake.lua conanfile.py tupfile tuprules.tup tupdefault *.qbs *.pro *.pri *.prf
            jamfile jamroot jamrules *.jam *.do build.redo build.ake akefile shakefile.hs build.py build.rb
            build.pl build.js build.ts build.mjs build.lua nob.c *.vcxproj *.vcxproj.filters hvigorfile.*
            emmakefile *.build
        ",
        reason: ReasonCode::Build,
        why: "a build program runs it",
    },
    Row {
        patterns: "
            debian/ *.spec pkgbuild apkbuild *.ebuild *.eclass *.install snapcraft.yaml *.flatpakref
            *.flatpakrepo flatpak.json *.nuspec *.wxs *.iss *.nsi *.nsh control.in postinst preinst prerm
            postrm conda.recipe/ meta.yaml recipe.yaml portfile portfile.cmake *.bb *.bbappend *.bbclass
            nfpm.yaml electron-builder.* forge.config.*
        ",
        reason: ReasonCode::Build,
        why: "a packager runs it, in part as root when the package is installed",
    },
    Row {
        patterns: "
            *.nix guix.scm manifest.scm channels.scm .guix-* .guix/ *.ncl garn.ts
        ",
        reason: ReasonCode::Build,
        why: "Nix or Guix builds from it, and runs what it builds",
    },
    Row {
        patterns: "
            justfile .justfile *.just justfile.* taskfile.yml taskfile.yaml taskfile.*.yml taskfile.*.yaml
            taskfile.dist.* makefile.toml maskfile.md tiltfile *.tiltfile skaffold.yaml skaffold.yml
            snakefile *.smk *.nf nextflow.config *.wdl *.cwl tasks.py fabfile.py dodo.py pavement.py
            .tmuxinator.yml .tmuxinator.yaml .tmuxp.* mprocs.yaml mprocs.yml process-compose.* .moon/
            moon.yml moon.pkl bakefile mani.yaml .air.toml air.toml .watchmanconfig .watchexec bacon.toml
            .bacon.toml nodemon.json .nodemonrc rundfile runfile lets.yaml tusk.yml robo.yml doit.cfg
            please.toml cargo-make.toml zellij.kdl *.tape
        ",
        reason: ReasonCode::TaskRunner,
        why: "a runner of tasks runs its recipes",
    },
    Row {
        patterns: "
            dockerfile dockerfile.* *.dockerfile dockerfile-* containerfile containerfile.* *.containerfile
            docker-compose* compose.yml compose.yaml compose.*.yml compose.*.yaml docker-bake.*
            podman-compose* docker-entrypoint* entrypoint.sh *.sif singularity singularity.* vagrantfile
            *.pkr.hcl *.pkr.json packer.json lxd.yaml incus.yaml *.box kickstart.cfg *.ks preseed.cfg
            *.preseed autounattend.xml user-data cloud-init* cloud-config* *.ign *.bu lima.yaml mkosi.conf
            mkosi.*
        ",
        reason: ReasonCode::Container,
        why: "an image is built from it, or containers are started by it with what it mounts",
    },
    Row {
        patterns: "
            *.tf *.tf.json *.tofu *.tfvars *.tfvars.json *.tfbackend *.tftest.hcl terragrunt.hcl
            *.terragrunt.hcl .terraformrc terraform.rc *.tfrc *.hcl pulumi.yaml pulumi.*.yaml ansible.cfg
            playbook*.yml playbook*.yaml site.yml playbooks/ **/roles/*/tasks/ **/roles/*/handlers/
            group_vars/ host_vars/ *.sls chart.yaml helmfile.* kustomization.yaml kustomization.yml
            kustomize.yaml **/templates/*.tpl cdk.json samconfig.toml template.yaml template.yml
            *.template.yaml *.template.json *.bicep *.nomad *.pp *.jsonnet *.libsonnet crossplane.yaml
            argocd/ .argocd-source* flux-system/ helmrelease*.yaml **/k8s/*.yaml **/k8s/*.yml
            **/kubernetes/*.yaml **/manifests/*.yaml .kube/ deploy.rb capfile
        ",
        reason: ReasonCode::Infrastructure,
        why: "a program that owns infrastructure carries it out",
    },
];
