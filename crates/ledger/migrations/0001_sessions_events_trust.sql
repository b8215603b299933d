-- Sessions, their events, and the requests that the owner accepted.
-- A migration that has been released is never edited; the next one gets the next number.

-- Apart from the sessions, because a session's row is rewritten at each step of its life, and because sessions of
-- one directory mostly have the same authority.
CREATE TABLE authorities (
    digest    TEXT NOT NULL PRIMARY KEY,
    canonical TEXT NOT NULL                -- canonical JSON
) STRICT;

CREATE TABLE sessions (
    id                 TEXT    NOT NULL PRIMARY KEY,
    name               TEXT    NOT NULL,
    directory          BLOB    NOT NULL,  -- bytes of the path that the session was started from
    state              TEXT    NOT NULL CHECK (state IN ('starting', 'running', 'stopped', 'failed', 'discarded')),
    cell_kind          TEXT    NOT NULL,
    parent             TEXT             REFERENCES sessions (id),
    uid_base           INTEGER,           -- first of the host's user ids that only this session uses
    supervisor_pid     INTEGER,
    supervisor_started INTEGER,           -- clock ticks since boot, so that a recycled pid is not mistaken
    boot_id            TEXT,
    created_at         INTEGER NOT NULL,  -- all times: nanoseconds since 1970-01-01 UTC
    started_at         INTEGER,
    ended_at           INTEGER,
    exit_status        TEXT,              -- JSON
    label              TEXT    NOT NULL,  -- JSON
    command            TEXT    NOT NULL,  -- JSON, an array of strings
    authority_digest   TEXT    NOT NULL REFERENCES authorities (digest)
) STRICT;

-- A discarded session gives back its name and its user ids, and is left out of what people list.
CREATE UNIQUE INDEX sessions_name ON sessions (name) WHERE state <> 'discarded';
CREATE UNIQUE INDEX sessions_uid_base ON sessions (uid_base) WHERE uid_base IS NOT NULL AND state <> 'discarded';
CREATE INDEX sessions_directory ON sessions (directory, created_at) WHERE state <> 'discarded';

CREATE TABLE events (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice, so that a gap tells of a deletion
    session TEXT    NOT NULL REFERENCES sessions (id),
    at      INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    body    TEXT    NOT NULL                    -- JSON
) STRICT;

CREATE INDEX events_session ON events (session);

CREATE TABLE trust (
    directory      BLOB    NOT NULL PRIMARY KEY,
    request_digest TEXT    NOT NULL,
    accepted_at    INTEGER NOT NULL,
    body           TEXT    NOT NULL             -- exactly what was accepted
) STRICT, WITHOUT ROWID;
