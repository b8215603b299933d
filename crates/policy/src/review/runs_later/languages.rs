//! Build files, tests and checkers of single languages.
//!
//! Ordinary sources are not here: what calls them is.

use super::{ReasonCode, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        patterns: "
            build.rs **/build/main.rs xtask/ .config/nextest.toml **/.config/nextest.toml
            .config/hakari.toml cross.toml trunk.toml dioxus.toml tauri.conf.json tauri.conf.json5
            tauri.toml
        ",
        reason: ReasonCode::Build,
        why: "cargo compiles and runs it at the next build, check or opening in an editor",
    },
    Row {
        patterns: "
            setup.py hatch_build.py pdm_build.py build_hooks.py versioneer.py manage.py fabfile/ ez_setup.py
            setup_*.py
        ",
        reason: ReasonCode::Build,
        why: "Python runs it when the package is built, installed or looked at",
    },
    Row {
        patterns: "
            conftest.py pytest.ini .pytest.ini pytest.toml .pytest.toml tox.ini tox.toml noxfile.py
            .coveragerc coverage.cfg .mocharc .mocharc.* .nycrc .nycrc.* .c8rc.json .rspec .rspec-local
            phpunit.xml phpunit.xml.dist pest.php codeception.yml behat.yml karma.conf.* wdio*.conf.*
            protractor.conf.* .jestrc* jest.setup.* jest-setup.* jest.config.* vitest.setup.*
            vitest.workspace.* vitest.config.* playwright*.config.* cypress.json cypress/ .taprc
            .testcaferc.* nightwatch.* xunit.runner.json *.runsettings behave.ini .testrunner* lit.cfg
            lit.cfg.py lit.local.cfg lit.site.cfg.py dejagnu.exp *.exp .busted .luacov .proverc ct_hooks.erl
            test_helper.exs
        ",
        reason: ReasonCode::Tests,
        why: "a runner of tests runs it before any test",
    },
    Row {
        patterns: "
            *.gradle *.gradle.kts gradle.properties gradlew gradlew.bat gradle/ pom.xml *.pom mvnw mvnw.cmd
            build.sbt *.sbt **/project/*.scala **/project/build.properties *.sc build.mill *.mill build.xml
            ivy.xml project.clj build.boot bb.edn shadow-cljs.edn build.gradle.* init.gradle buildsrc/
            build-logic/ .jitpack.yml jitpack.yml
        ",
        reason: ReasonCode::Build,
        why: "Gradle, Maven, sbt or another builder for the JVM runs it",
    },
    Row {
        patterns: "
            rakefile rakefile.* *.rake gemfile.local config.ru guardfile guardfile.* thorfile *.thor
            fastfile fastlane/ dangerfile appraisals appfile matchfile steepfile rantfile vagrantfile.*
            puma.rb unicorn.rb *.ru .autotest
        ",
        reason: ReasonCode::Build,
        why: "Ruby or one of its programs runs it",
    },
    Row {
        patterns: "
            *.csproj *.fsproj *.vbproj *.vcproj *.proj *.props *.targets *.tasks *.sln *.slnx *.slnf *.rsp
            *.cake *.fsx *.csx *.shproj *.sqlproj *.pubxml directory.build.* directory.solution.* *.wixproj
            *.esproj *.nativeproj *.user packages.props *.tt *.ttinclude *.t4 build.fsx nukefile .nuke/
            *.ruleset
        ",
        reason: ReasonCode::Build,
        why: "MSBuild or another builder for .NET runs its targets",
    },
    Row {
        patterns: "
            *.xcodeproj/ *.xcworkspace/ *.pbxproj *.xcconfig *.xcscheme *.xctestplan *.xcfilelist
            project.swift workspace.swift tuist/ project.yml xcodegen.yml mintfile *.swiftpm/ .swiftpm/
            *.playground/ expo.plugin.js app.json app.config.* metro.config.* react-native.config.*
        ",
        reason: ReasonCode::Build,
        why: "Xcode, Swift or another builder for Apple's systems runs its phases",
    },
    Row {
        patterns: "
            magefile.go magefiles/ setup.hs setup.lhs package.dhall dune dune-project dune-workspace
            dune.inc *.ml.in myocamlbuild.ml mix.exs rebar.config rebar.config.script *.app.src.script
            erlang.mk .formatter.exs config.nims *.nims nim.cfg *.nim.cfg build.zig build.zig.zon
            makefile.pl dist.ini minil.toml configure.win configure.ucrt renv/ **/renv/activate.r
            **/deps/build.jl build.yaml **/tool/build.dart hook/build.dart foundry.toml hardhat.config.*
            truffle-config.js brownie-config.yaml anchor.toml move.toml scarb.toml latexmkrc .latexmkrc
            arara.yaml .arararc.yaml *.tup *.ipkg lakefile.lean lakefile.toml *.agda-lib _coqproject
            *.gpr *.fpm fpm.toml v.mod *.vsh haxelib.json *.hxml build.hxml project.godot *.uproject
            *.uplugin *.build.cs *.target.cs *.asmdef projectsettings/ platformio.ini *.ino.yaml
            sdkconfig.defaults idf_component.yml west.yaml
        ",
        reason: ReasonCode::Build,
        why: "a builder of its language runs it",
    },
    Row {
        patterns: "
            *.config.js *.config.cjs *.config.mjs *.config.ts *.config.cts *.config.mts *.config.jsx
            *.config.tsx *.conf.js *.conf.cjs *.conf.ts .*rc.js .*rc.cjs .*rc.mjs .*rc.ts gulpfile.*
            gulpfile/ gruntfile.* jakefile jakefile.* config-overrides.js ember-cli-build.js fuse.js
            angular.json .angular-cli.json ionic.config.json nest-cli.json .parcelrc .swcrc .babelrc
            .babelrc.json .browserslistrc.js tsconfig.json tsconfig.*.json jsconfig.json .eslintrc
            .eslintrc.* .prettierrc .prettierrc.* .stylelintrc .stylelintrc.* .huskyrc.json .lintstaged.*
            .dependency-cruiser.* .jscodeshift* .postcssrc .postcssrc.* .postcssrc.json .storybook/ .svgrrc*
            .markdownlint-cli2.* .markdownlint.cjs .remarkrc .remarkrc.* .textlintrc .textlintrc.*
            .graphqlrc .graphqlrc.* graphql.config.* codegen.yml codegen.yaml codegen.ts plopfile.*
            .hygen.js _templates/ .yo-rc.json .sequelizerc .mikro-orm* ormconfig.* knexfile.*
            drizzle.config.* schema.prisma gatsby-*.js .eleventy.js docusaurus.*
        ",
        reason: ReasonCode::Linter,
        why: "a builder, checker or formatter of JavaScript loads and runs it",
    },
    Row {
        patterns: "
            .pylintrc pylintrc pylintrc.toml .flake8 mypy.ini .mypy.ini .rubocop.yml .rubocop_*.yml
            .standard.yml .reek.yml .haml-lint.yml .erb-lint.yml .golangci.* golangci.* .trunk/
            .mega-linter.yml .megalinter.yml phpstan.neon phpstan.neon.dist phpstan.dist.neon psalm.xml
            psalm.xml.dist rector.php ecs.php .php-cs-fixer.php .php-cs-fixer.dist.php phpcs.xml
            phpcs.xml.dist .phpcs.xml tlint.json .credo.exs .dialyzer* .sqlfluff .perlcriticrc             dprint.json .dprint.json buf.gen.yaml buf.gen.*.yaml buf.work.yaml .protolint.yaml
            openapi-generator* openapitools.json .semgrep.yml .semgrep/ .bandit .vale.ini             .checkov.yaml .tflint.hcl .swiftlint.yml detekt.yml .scalafix.conf
            .pre-commit-*.yml
            .cookiecutterrc cookiecutter.json copier.yml copier.yaml hooks/*_gen_project.*
            doxyfile doxygen.conf mkdocs.yml mkdocs.yaml conf.py .asciidoctorconfig
            .yardopts typedoc.json .esdoc.json jsdoc.json .jsdoc.json biome.json biome.jsonc .oxlintrc.json
            .sourcery.yml sqlc.yaml sqlc.yml gqlgen.yml .mockery.yaml xo.yaml sgconfig.yml treefmt.toml
            .treefmt.toml treefmt.nix
        ",
        reason: ReasonCode::Linter,
        why: "a checker, formatter or generator takes plugins or commands from it",
    },
];
