//! What continuous integration and deployment run, and what decides who must agree.
//!
//! They run elsewhere, often with secrets, as soon as the change is pushed.

use super::{ReasonCode, Row};

pub(super) const ROWS: &[Row] = &[
    Row {
        patterns: "
            **/.github/workflows/ **/.github/actions/ **/.github/scripts/ action.yml action.yaml .actrc
        ",
        reason: ReasonCode::Ci,
        why: "GitHub runs it, with the repository's secrets, when the change is pushed",
    },
    Row {
        patterns: "
            .gitlab-ci.yml .gitlab-ci.yaml *.gitlab-ci.yml *.gitlab-ci.yaml .gitlab-ci/ **/.gitlab/ci/
            **/.gitlab/agents/ **/.gitlab/duo/
        ",
        reason: ReasonCode::Ci,
        why: "GitLab runs it when the change is pushed",
    },
    Row {
        patterns: "
            .forgejo/ .gitea/
        ",
        reason: ReasonCode::Ci,
        why: "Forgejo or Gitea runs it when the change is pushed",
    },
    Row {
        patterns: "
            .circleci/ circle.yml
        ",
        reason: ReasonCode::Ci,
        why: "CircleCI runs it when the change is pushed",
    },
    Row {
        patterns: "
            azure-pipelines*.yml azure-pipelines*.yaml .azure-pipelines*.yml .azure-pipelines/ .azuredevops/
            .vsts-ci.yml azure.yaml
        ",
        reason: ReasonCode::Ci,
        why: "Azure runs it when the change is pushed",
    },
    Row {
        patterns: "
            jenkinsfile jenkinsfile.* *.jenkinsfile jenkinsfile-* .jenkins/
        ",
        reason: ReasonCode::Ci,
        why: "Jenkins runs it when the change is pushed",
    },
    Row {
        patterns: "
            .travis.yml .travis.yaml .travis/
        ",
        reason: ReasonCode::Ci,
        why: "Travis runs it when the change is pushed",
    },
    Row {
        patterns: "
            .buildkite/ buildkite.yml buildkite.yaml
        ",
        reason: ReasonCode::Ci,
        why: "Buildkite runs it when the change is pushed",
    },
    Row {
        patterns: "
            .drone.* .woodpecker/ .woodpecker.*
        ",
        reason: ReasonCode::Ci,
        why: "Drone or Woodpecker runs it when the change is pushed",
    },
    Row {
        patterns: "
            appveyor.yml .appveyor.yml bitbucket-pipelines.yml .semaphore/ .teamcity/ .cirrus.yml
            .cirrus.star cloudbuild*.yml cloudbuild*.yaml cloudbuild.json buildspec*.yml buildspec*.yaml
            codefresh.yml codefresh.yaml .codefresh/ wercker.yml .tekton/ .builds/ .build.yml .bitrise.yml
            bitrise.yml .gocd.yaml screwdriver.yaml .zuul.yaml .zuul.d/ zuul.yaml zuul.d/ .prow.yaml
            .taskcluster.yml earthfile *.earth .dagger/ dagger.json .harness/ codemagic.yaml .kokoro/
            .evergreen.yml .expeditor/ ci_scripts/ shippable.yml garnix.yaml .hydra.json .ci/ **/ci/scripts/
        ",
        reason: ReasonCode::Ci,
        why: "a service for continuous integration runs it when the change is pushed",
    },
    Row {
        patterns: "
            codeowners .github/settings.yml **/.github/dependabot.yml **/.github/dependabot.yaml
            .mergify.yml mergify.yml .mergify/ renovate.json renovate.json5 .renovaterc .renovaterc.*
            **/.github/renovate.* bors.toml .kodiak.toml .github/rulesets/ owners_aliases
        ",
        reason: ReasonCode::Ci,
        why: "it decides who must agree to a change, or which changes are merged by a program",
    },
    Row {
        patterns: "
            .goreleaser.* goreleaser.* .releaserc .releaserc.* release.config.* .release-it.*
            release-please-config.json .release-please-manifest.json release.toml dist-workspace.toml
            release-plz.toml .bumpversion.cfg .bumpversion.toml .versionrc .versionrc.* .changeset/
        ",
        reason: ReasonCode::Ci,
        why: "a program for releases runs its commands or publishes by it",
    },
    Row {
        patterns: "
            procfile procfile.* netlify.toml vercel.json now.json fly.toml fly.*.toml render.yaml app.yaml
            heroku.yml wrangler.toml wrangler.json wrangler.jsonc amplify.yml firebase.json .firebaserc
            serverless.yml serverless.yaml serverless.json serverless.ts serverless.js .readthedocs.*
            readthedocs.yml railway.toml railway.json nixpacks.toml .platform.app.yaml .platform/
            .ebextensions/ .elasticbeanstalk/ appspec.yml appspec.yaml captain-definition .buildpacks
            project.toml .scalingo scalingo.json cloudflare.toml zeabur.json koyeb.yaml
        ",
        reason: ReasonCode::Ci,
        why: "a platform builds and starts the application by it",
    },
];
