-- +goose Up

-- Words that come again and again (tasks, kinds of errors, price rows …) are stored
-- once and stand as numbers in the rows. 0 is the empty word and has no row here.
CREATE TABLE names (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- Who asked what of whom: the part of a row that few rows have for themselves. One
-- number in its place makes rows short, and one index serves every filter over it.
-- Where no target was reached, model is '' here: the client may have written anything.
CREATE TABLE series (
  id      INTEGER PRIMARY KEY,
  tenant  TEXT NOT NULL,
  project TEXT NOT NULL,
  key_id  TEXT NOT NULL,
  key     TEXT NOT NULL,
  dialect TEXT NOT NULL,
  surface TEXT NOT NULL,
  model   TEXT NOT NULL, -- as the client named it
  target  TEXT NOT NULL,
  route   TEXT NOT NULL,
  UNIQUE (key_id, target, model, key, project, tenant, dialect, surface, route)
) STRICT;

-- What an attempt calls.
CREATE TABLE places (
  id       INTEGER PRIMARY KEY,
  target   TEXT NOT NULL,
  provider TEXT NOT NULL,
  model    TEXT NOT NULL, -- the target's own name for it
  UNIQUE (target, provider, model)
) STRICT;

-- One row per exchange. kind, task, classes, cache, loss, config and price are ids in
-- names. seq is the time in the id and a hash of the rest, see seqOf: so the rows lie
-- in the order of time, and no index is needed to find an id.
CREATE TABLE exchanges (
  seq           INTEGER PRIMARY KEY,
  id            TEXT NOT NULL,             -- ULID
  time_us       INTEGER NOT NULL,          -- of arrival, Unix microseconds
  series        INTEGER NOT NULL,
  status        INTEGER NOT NULL,          -- 1 ok, 2 error, 3 canceled, 4 cut
  http_status   INTEGER NOT NULL,
  kind          INTEGER NOT NULL,
  stream        INTEGER NOT NULL,          -- 0 or 1
  task          INTEGER NOT NULL,
  classes       INTEGER NOT NULL,          -- comma-separated
  cache         INTEGER NOT NULL,
  loss          INTEGER NOT NULL,          -- comma-separated
  config        INTEGER NOT NULL,
  request_bytes INTEGER NOT NULL,
  answer_bytes  INTEGER NOT NULL,
  overhead_us   INTEGER NOT NULL,
  first_byte_us INTEGER NOT NULL,
  total_us      INTEGER NOT NULL,
  input         INTEGER NOT NULL,          -- tokens, all classes together
  output        INTEGER NOT NULL,
  cost_state    INTEGER NOT NULL,          -- 0 unknown, 1 estimated, 2 known
  price         INTEGER NOT NULL,          -- the price row, as JSON
  answer        INTEGER,                   -- segment and hash of answer_id, see answerKey
  answer_id     TEXT,
  asked         TEXT,                      -- the model asked for, where no target was reached
  task_id       TEXT,
  message       TEXT,
  request_lines TEXT,                      -- headers
  answer_lines  TEXT,
  tokens        TEXT,                      -- the classes as JSON, where there are more than input and output
  cost          TEXT,                      -- USD, decimal
  cost_split    TEXT                       -- "input output" in USD
) STRICT;

-- An index ends in seq: each of these is also in the order of time. Those that most
-- rows would not need hold only the others.
CREATE INDEX exchanges_series  ON exchanges (series);
CREATE INDEX exchanges_answer  ON exchanges (answer)  WHERE answer IS NOT NULL;
CREATE INDEX exchanges_status  ON exchanges (status)  WHERE status <> 1;
CREATE INDEX exchanges_series_status ON exchanges (series, status) WHERE status <> 1;
CREATE INDEX exchanges_task    ON exchanges (task)    WHERE task <> 0;
CREATE INDEX exchanges_task_id ON exchanges (task_id) WHERE task_id IS NOT NULL;
CREATE INDEX exchanges_asked   ON exchanges (asked)   WHERE asked IS NOT NULL;

-- One row per call of a target.
CREATE TABLE attempts (
  seq         INTEGER PRIMARY KEY, -- of the exchange, plus 0 for the first attempt, 1 for the next …
  place       INTEGER NOT NULL,
  status      INTEGER NOT NULL,
  kind        INTEGER NOT NULL,
  http_status INTEGER NOT NULL,
  start_us    INTEGER NOT NULL, -- after the exchange's arrival
  ttft_us     INTEGER NOT NULL,
  total_us    INTEGER NOT NULL,
  input       INTEGER NOT NULL,
  output      INTEGER NOT NULL,
  cost_state  INTEGER NOT NULL,
  price       INTEGER NOT NULL,
  request_id  TEXT,
  message     TEXT,
  tokens      TEXT,
  cost        TEXT,
  cost_split  TEXT
) STRICT;

-- Sums by hour, kept in the transaction that writes the rows, so that an overview
-- does not walk a million of them.
CREATE TABLE hours (
  hour        INTEGER NOT NULL, -- Unix time / 3600
  series      INTEGER NOT NULL,
  requests    INTEGER NOT NULL,
  ok          INTEGER NOT NULL,
  failed      INTEGER NOT NULL,
  canceled    INTEGER NOT NULL,
  cut         INTEGER NOT NULL,
  input       INTEGER NOT NULL,
  cache_read  INTEGER NOT NULL,
  output      INTEGER NOT NULL,
  cost        TEXT NOT NULL,
  estimated   INTEGER NOT NULL, -- exchanges whose cost is so
  unknown     INTEGER NOT NULL,
  overhead_us INTEGER NOT NULL,
  first_byte  BLOB NOT NULL,    -- histograms, see ledger.Histogram
  total       BLOB NOT NULL,
  PRIMARY KEY (hour, series)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
  id         TEXT NOT NULL PRIMARY KEY,
  tenant     TEXT NOT NULL,
  project    TEXT NOT NULL,
  name       TEXT NOT NULL,
  hash       BLOB NOT NULL UNIQUE, -- SHA-256 of the secret
  prefix     TEXT NOT NULL,
  scopes     TEXT NOT NULL,        -- comma-separated
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER,
  revoked_ms INTEGER
) STRICT, WITHOUT ROWID;

-- For people with a SQL shell: the rows with their words in place.
CREATE VIEW exchanges_text AS
SELECT x.id, strftime('%Y-%m-%dT%H:%M:%fZ', x.time_us / 1e6, 'unixepoch') AS time,
  s.tenant, s.project, s.key_id, s.key, s.dialect, s.surface, coalesce(x.asked, s.model) AS model, t.name AS task, x.task_id, x.stream,
  CASE x.status WHEN 1 THEN 'ok' WHEN 2 THEN 'error' WHEN 3 THEN 'canceled' ELSE 'cut' END AS status,
  x.http_status, k.name AS kind, x.message, s.target, s.route, x.answer_id,
  x.input AS input_tokens, x.output AS output_tokens, x.cost AS cost_usd,
  CASE x.cost_state WHEN 2 THEN 'known' WHEN 1 THEN 'estimated' ELSE 'unknown' END AS cost_state,
  x.overhead_us / 1e3 AS overhead_ms, x.first_byte_us / 1e3 AS first_byte_ms, x.total_us / 1e3 AS total_ms
FROM exchanges x
JOIN series s ON s.id = x.series
LEFT JOIN names t ON t.id = x.task LEFT JOIN names k ON k.id = x.kind;

CREATE VIEW attempts_text AS
SELECT x.id AS exchange, a.seq - x.seq AS seq, p.target, p.provider, p.model,
  CASE a.status WHEN 1 THEN 'ok' WHEN 2 THEN 'error' WHEN 3 THEN 'canceled' ELSE 'cut' END AS status,
  k.name AS kind, a.message, a.http_status, a.request_id,
  a.start_us / 1e3 AS start_ms, a.ttft_us / 1e3 AS ttft_ms, a.total_us / 1e3 AS total_ms,
  a.input AS input_tokens, a.output AS output_tokens, a.cost AS cost_usd
FROM exchanges x
JOIN attempts a ON a.seq BETWEEN x.seq AND x.seq + 63
JOIN places p ON p.id = a.place
LEFT JOIN names k ON k.id = a.kind;

-- +goose Down
DROP VIEW attempts_text;
DROP VIEW exchanges_text;
DROP TABLE keys;
DROP TABLE hours;
DROP TABLE attempts;
DROP TABLE exchanges;
DROP TABLE places;
DROP TABLE series;
DROP TABLE names;
