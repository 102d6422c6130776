-- The tenant database, SQLite. The contract of every column stands in docs/sql-contract.md. Times are UTC
-- 'YYYY-MM-DD HH:MM:SS.ffffff', names lower case without final dot. AUTOINCREMENT: ids are never used again.
CREATE TABLE schema_info (
  version INTEGER NOT NULL,
  applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
);

CREATE TABLE platform (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,                    -- shop.example
  dmarc_policy TEXT NOT NULL DEFAULT 'quarantine' CHECK (dmarc_policy IN ('none', 'quarantine', 'reject')),
  dmarc_rua TEXT NOT NULL DEFAULT '',           -- mailto:a@b,mailto:c@d
  drain_seconds INTEGER NOT NULL DEFAULT 604800 CHECK (drain_seconds >= 0),      -- a departed name answers so long
  revoke_seconds INTEGER NOT NULL DEFAULT 604800 CHECK (revoke_seconds >= 0),    -- then its keys are empty so long
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
);

CREATE TABLE mail_exchanger (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  preference INTEGER NOT NULL DEFAULT 10 CHECK (preference BETWEEN 0 AND 65535),
  host_name TEXT NOT NULL,
  UNIQUE (platform_id, host_name)
);

CREATE TABLE zone (
  id INTEGER PRIMARY KEY AUTOINCREMENT CHECK (id < 2147483648),
  platform_id INTEGER REFERENCES platform (id),
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('platform', 'key_target', 'return_path', 'reverse', 'hosted')),
  primary_server TEXT NOT NULL,                 -- SOA MNAME; the NS records are static_record rows at the apex
  hostmaster TEXT NOT NULL,                     -- SOA RNAME, as a name
  refresh INTEGER NOT NULL DEFAULT 10800, retry INTEGER NOT NULL DEFAULT 3600,
  expire INTEGER NOT NULL DEFAULT 604800, minimum INTEGER NOT NULL DEFAULT 60,
  ttl INTEGER NOT NULL DEFAULT 300 CHECK (ttl BETWEEN 0 AND 2147483647)
);
CREATE TABLE zone_serial (
  zone_id INTEGER PRIMARY KEY,                  -- no foreign key: writers would wait for it
  serial INTEGER NOT NULL DEFAULT 1
);
CREATE TABLE zone_metadata (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  zone_id INTEGER NOT NULL REFERENCES zone (id),
  kind TEXT NOT NULL, value TEXT NOT NULL,
  UNIQUE (zone_id, kind, value)
);
CREATE TABLE static_record (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  zone_id INTEGER NOT NULL REFERENCES zone (id),
  owner TEXT NOT NULL,                          -- absolute, without final dot
  type TEXT NOT NULL,
  ttl INTEGER NOT NULL DEFAULT 300 CHECK (ttl BETWEEN 0 AND 2147483647),
  content TEXT NOT NULL,
  UNIQUE (zone_id, owner, type, content)
);

CREATE TABLE ip_pool (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  name TEXT NOT NULL,
  purpose TEXT NOT NULL DEFAULT 'sending' CHECK (purpose IN ('sending', 'forwarding')),
  UNIQUE (platform_id, name)
);
CREATE TABLE ip_address (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pool_id INTEGER NOT NULL REFERENCES ip_pool (id),
  address TEXT NOT NULL UNIQUE,
  host_name TEXT NOT NULL                       -- HELO name: PTR, A/AAAA and the host's SPF come from this row
);
CREATE TABLE relay (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  name TEXT NOT NULL,
  spf_include TEXT,
  envelope TEXT NOT NULL DEFAULT 'relay' CHECK (envelope IN ('relay', 'own')),
  UNIQUE (platform_id, name)
);

CREATE TABLE tenant (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  slug TEXT NOT NULL,                           -- one LDH label, none of reserved_slug
  external_id TEXT UNIQUE,                      -- the application's own id
  state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
  UNIQUE (platform_id, slug)
);
CREATE TABLE reserved_slug (slug TEXT PRIMARY KEY);
CREATE TABLE domain (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  tenant_id INTEGER REFERENCES tenant (id),     -- NULL for kinds platform and common
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('subdomain', 'delegated', 'hosted', 'platform', 'common')),
  token TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))),
  external_id TEXT UNIQUE,
  state TEXT NOT NULL DEFAULT 'unverified' CHECK (state IN ('unverified', 'verified', 'degraded')),
  verified_at TEXT,
  bounce_verified_at TEXT,
  signing TEXT NOT NULL DEFAULT 'own' CHECK (signing IN ('own', 'common')),
  zone_id INTEGER REFERENCES zone (id),
  dmarc_policy TEXT CHECK (dmarc_policy IN ('none', 'quarantine', 'reject')),
  dmarc_rua TEXT,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
  CHECK ((tenant_id IS NULL) = (kind IN ('platform', 'common')))
);
CREATE INDEX domain_by_tenant ON domain (tenant_id);
-- Every envelope domain that a domain's mail may have; kept by triggers, never written by others. The key of the signing view.
CREATE TABLE envelope_domain (
  name TEXT PRIMARY KEY,                        -- t1.shop.example, bounce.custom.example, TOKEN.rp.shop.example, mx1.shop.example, common
  domain_id INTEGER NOT NULL,
  author TEXT NOT NULL                          -- d= when the domain signs with its own key: its name, or the host's
);
CREATE INDEX envelope_by_domain ON envelope_domain (domain_id);
CREATE TABLE stream (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER REFERENCES platform (id), -- a platform's streams are the defaults of all its domains
  domain_id INTEGER REFERENCES domain (id),     -- a domain's own stream replaces the platform's of that name
  name TEXT NOT NULL,
  pool_id INTEGER REFERENCES ip_pool (id),
  relay_id INTEGER REFERENCES relay (id),
  CHECK ((platform_id IS NULL) <> (domain_id IS NULL)),
  CHECK ((pool_id IS NULL) <> (relay_id IS NULL)),
  UNIQUE (platform_id, name), UNIQUE (domain_id, name)
);
CREATE TABLE login (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id INTEGER NOT NULL REFERENCES tenant (id),
  name TEXT NOT NULL UNIQUE CHECK (name = lower(name)),
  password_hash TEXT NOT NULL,                  -- {SHA512-CRYPT}$6$... as Dovecot reads it
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
);
CREATE TABLE login_domain (
  login_id INTEGER NOT NULL REFERENCES login (id),
  domain_id INTEGER NOT NULL REFERENCES domain (id),
  PRIMARY KEY (login_id, domain_id)
);

CREATE TABLE dkim_key (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  algorithm TEXT NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
  bits INTEGER NOT NULL,
  public_key TEXT NOT NULL,                     -- p=
  fingerprint TEXT NOT NULL UNIQUE,             -- SHA-256 of the SubjectPublicKeyInfo, hexadecimal
  generated_at TEXT NOT NULL,
  assigned_at TEXT,                             -- NULL: a spare of the pool; a key is assigned once
  destroyed_at TEXT                             -- the private half is gone
);
CREATE TABLE dkim_selector (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER NOT NULL REFERENCES domain (id),
  slot TEXT NOT NULL CHECK (slot IN ('mz1', 'mz2')),
  key_id INTEGER NOT NULL UNIQUE REFERENCES dkim_key (id),
  generation INTEGER NOT NULL DEFAULT 1,
  generated_at TEXT, published_at TEXT, proven_at TEXT, activated_at TEXT, drained_at TEXT, revoked_at TEXT, emptied_at TEXT,
  owner TEXT, lease_until TEXT                  -- the worker that holds it
);
CREATE UNIQUE INDEX dkim_selector_slot ON dkim_selector (domain_id, slot) WHERE emptied_at IS NULL;
CREATE TABLE active_key (
  domain_id INTEGER NOT NULL REFERENCES domain (id),
  algorithm TEXT NOT NULL,
  selector_id INTEGER NOT NULL REFERENCES dkim_selector (id),
  PRIMARY KEY (domain_id, algorithm)
);
CREATE TABLE departed (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL, tenant_id INTEGER, domain_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  kind TEXT NOT NULL, token TEXT NOT NULL UNIQUE,
  was_verified INTEGER NOT NULL, dmarc_policy TEXT, dmarc_rua TEXT,
  mz1_key_id INTEGER, mz2_key_id INTEGER,
  left_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
  revoked_at TEXT,                              -- draining is over: keys are published with an empty p=
  gone_at TEXT                                  -- nothing is published any more; the row stays, so that the name goes to nobody else
);
CREATE INDEX departed_by_name ON departed (name);

-- The feed: triggers write feed_inbox and nothing else; feed_advance numbers what is committed (docs/sql-contract.md).
CREATE TABLE feed_inbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  entity TEXT NOT NULL CHECK (entity IN ('platform', 'pool', 'zone', 'static_record', 'domain', 'departed', 'zone_metadata')),
  entity_id INTEGER NOT NULL,
  zone_id INTEGER                               -- whose serial rises; NULL: every zone's
);
CREATE TABLE change_log (
  seq INTEGER PRIMARY KEY,
  entity TEXT NOT NULL, entity_id INTEGER NOT NULL, zone_id INTEGER,
  nonce TEXT NOT NULL DEFAULT (lower(hex(randomblob(8)))),
  at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now'))
);
CREATE TABLE feed_head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL);
INSERT INTO feed_head (one, seq) VALUES (1, 0);
