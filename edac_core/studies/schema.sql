CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE studies (
  name TEXT PRIMARY KEY,
  title TEXT NOT NULL,
  plan TEXT NOT NULL,      -- JSON
  data TEXT NOT NULL,      -- JSON: facts of the data set
  created TEXT NOT NULL
);

CREATE TABLE splits (
  key TEXT PRIMARY KEY,
  seed INTEGER NOT NULL,
  recordings TEXT NOT NULL -- JSON table: recording, label, group, participant, set, copy
);

CREATE TABLE jobs (
  key TEXT PRIMARY KEY,
  split TEXT NOT NULL REFERENCES splits (key),
  config TEXT NOT NULL,    -- JSON
  achieved_sparsity REAL NOT NULL,
  seconds REAL NOT NULL,
  history TEXT NOT NULL,   -- JSON: losses by epoch
  weights BLOB,            -- NPZ, kept where other jobs start from them
  environment TEXT NOT NULL,
  created TEXT NOT NULL
);

-- Which job's weights come of a training, by all that they depend on.
CREATE TABLE trainings (
  key TEXT PRIMARY KEY,
  job TEXT NOT NULL REFERENCES jobs (key)
) WITHOUT ROWID;

CREATE TABLE study_jobs (
  study TEXT NOT NULL REFERENCES studies (name),
  job TEXT NOT NULL,
  PRIMARY KEY (study, job)
) WITHOUT ROWID;

CREATE TABLE failures (
  job TEXT PRIMARY KEY,
  config TEXT NOT NULL,
  reason TEXT NOT NULL,
  "when" TEXT NOT NULL
);

CREATE TABLE variants (
  key TEXT PRIMARY KEY,
  job TEXT NOT NULL REFERENCES jobs (key),
  precision TEXT NOT NULL,
  sha256 TEXT NOT NULL,
  raw_bytes INTEGER NOT NULL,
  zip_bytes INTEGER NOT NULL,
  xz_bytes INTEGER NOT NULL,
  weights_total INTEGER NOT NULL,
  nonzero_weights INTEGER NOT NULL,
  auc REAL NOT NULL,
  auc_low REAL NOT NULL,
  auc_high REAL NOT NULL,
  threshold REAL NOT NULL,
  sensitivity REAL NOT NULL,
  specificity REAL NOT NULL,
  uar REAL NOT NULL,
  validation_scores BLOB NOT NULL, -- float32, little endian, in the split's order
  test_scores BLOB NOT NULL,
  created TEXT NOT NULL
);
CREATE INDEX variants_by_job ON variants (job);
-- What is shown of all variants at once: they are read without passing over every score.
CREATE INDEX variants_at_a_glance ON variants (
  job, precision, key, auc, auc_low, auc_high, uar, raw_bytes, zip_bytes, weights_total,
  nonzero_weights
);

-- Precisions that a job has no variant of, and why.
CREATE TABLE refusals (
  job TEXT NOT NULL REFERENCES jobs (key),
  precision TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (job, precision)
) WITHOUT ROWID;

-- What a job's network is worth on validation recordings with one layer pruned and rounded.
CREATE TABLE sensitivities (
  job TEXT NOT NULL REFERENCES jobs (key),
  layer TEXT NOT NULL,
  weights INTEGER NOT NULL,
  sparsity REAL NOT NULL,
  precision TEXT NOT NULL,
  auc REAL NOT NULL,
  auc_before REAL NOT NULL,
  loss REAL NOT NULL,
  loss_before REAL NOT NULL,
  recordings INTEGER NOT NULL,
  PRIMARY KEY (job, layer, sparsity, precision)
);

CREATE TABLE groups (
  variant TEXT NOT NULL REFERENCES variants (key),
  "group" TEXT NOT NULL,
  n INTEGER NOT NULL,
  positives INTEGER NOT NULL,
  auc REAL,
  auc_low REAL,
  auc_high REAL,
  PRIMARY KEY (variant, "group")
) WITHOUT ROWID;

CREATE TABLE latencies (
  variant TEXT NOT NULL REFERENCES variants (key),
  machine_id TEXT NOT NULL,
  median_ms REAL NOT NULL,
  p95_ms REAL NOT NULL,
  mean_ms REAL NOT NULL,
  calls INTEGER NOT NULL,
  baseline_ms REAL NOT NULL,
  machine TEXT NOT NULL,   -- JSON
  "when" TEXT NOT NULL,
  PRIMARY KEY (variant, machine_id)
) WITHOUT ROWID;
