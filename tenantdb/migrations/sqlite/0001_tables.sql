-- The tenant database, SQLite. The contract of every column stands in docs/sql-contract.md. Times are UTC
-- 'YYYY-MM-DD HH:MM:SS.ffffff', names lower case without final dot. AUTOINCREMENT: ids are never used again.
-- (schema_info is made by the migrator before the first of these files.)
--
-- What a CHECK says of a name: text, only the octets that a name of this sort has, no empty label (two dots in a row once
-- a dot is put before and behind it), no hyphen at a label's end, no label of 64 octets or more (hex(zeroblob(32)) is 64
-- zeros; GLOB has no repetition), at most 253 octets in all (RFC 1035 section 2.3.4).
CREATE TABLE platform (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,                    -- shop.example
  dmarc_policy TEXT NOT NULL DEFAULT 'quarantine' CHECK (dmarc_policy IN ('none', 'quarantine', 'reject')),
  dmarc_rua TEXT NOT NULL DEFAULT '',           -- mailto:a@b,mailto:c@d
  drain_seconds INTEGER NOT NULL DEFAULT 604800 CHECK (drain_seconds >= 0),      -- a departed name answers so long
  revoke_seconds INTEGER NOT NULL DEFAULT 604800 CHECK (revoke_seconds >= 0),    -- then its keys are empty so long
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
  CHECK (typeof(name) = 'text' AND name NOT GLOB '*[^a-z0-9.-]*' AND '.' || name || '.' NOT GLOB '*..*'
         AND '.' || name || '.' NOT GLOB '*.-*' AND '.' || name || '.' NOT GLOB '*-.*'
         AND name NOT GLOB '*' || replace(hex(zeroblob(32)), '0', '[^.]') || '*' AND length(name) BETWEEN 1 AND 253),
  CHECK (instr(name, '.') > 0)
);

CREATE TABLE mail_exchanger (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  preference INTEGER NOT NULL DEFAULT 10 CHECK (preference BETWEEN 0 AND 65535),
  host_name TEXT NOT NULL,
  UNIQUE (platform_id, host_name),
  CHECK (typeof(host_name) = 'text' AND host_name NOT GLOB '*[^a-z0-9.-]*' AND '.' || host_name || '.' NOT GLOB '*..*'
         AND '.' || host_name || '.' NOT GLOB '*.-*' AND '.' || host_name || '.' NOT GLOB '*-.*'
         AND host_name NOT GLOB '*' || replace(hex(zeroblob(32)), '0', '[^.]') || '*' AND length(host_name) BETWEEN 1 AND 253)
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
  ttl INTEGER NOT NULL DEFAULT 300 CHECK (ttl BETWEEN 0 AND 2147483647),
  CHECK (typeof(name) = 'text' AND name NOT GLOB '*[^a-z0-9._/-]*' AND '.' || name || '.' NOT GLOB '*..*'
         AND '.' || name || '.' NOT GLOB '*.-*' AND '.' || name || '.' NOT GLOB '*-.*'
         AND name NOT GLOB '*' || replace(hex(zeroblob(32)), '0', '[^.]') || '*' AND length(name) BETWEEN 1 AND 253),
  CHECK (typeof(primary_server) = 'text' AND primary_server NOT GLOB '*[^a-z0-9.-]*' AND '.' || primary_server || '.' NOT GLOB '*..*'
         AND '.' || primary_server || '.' NOT GLOB '*.-*' AND '.' || primary_server || '.' NOT GLOB '*-.*'
         AND primary_server NOT GLOB '*' || replace(hex(zeroblob(32)), '0', '[^.]') || '*' AND length(primary_server) BETWEEN 1 AND 253),
  CHECK (typeof(hostmaster) = 'text' AND hostmaster NOT GLOB '*[^!-~]*' AND hostmaster NOT GLOB '*[A-Z]*' AND '.' || hostmaster || '.' NOT GLOB '*..*'
         AND hostmaster NOT GLOB '*' || replace(hex(zeroblob(128)), '0', '[^.]') || '*' AND length(hostmaster) BETWEEN 1 AND 1004),
  CHECK (kind = 'reverse' OR platform_id IS NOT NULL),
  CHECK ((kind = 'reverse') = (name GLOB '*.in-addr.arpa' OR name GLOB '*.ip6.arpa')),
  CHECK (refresh BETWEEN 1 AND 2147483647 AND retry BETWEEN 1 AND 2147483647 AND expire BETWEEN 1 AND 2147483647
         AND minimum BETWEEN 0 AND 2147483647)
);
-- One of each per platform; any number of reverse and hosted ones.
CREATE UNIQUE INDEX zone_by_kind ON zone (platform_id, kind) WHERE kind IN ('platform', 'key_target', 'return_path');
CREATE TABLE zone_serial (
  zone_id INTEGER PRIMARY KEY,                  -- no foreign key: writers would wait for it
  serial INTEGER NOT NULL DEFAULT 1,
  CHECK (serial BETWEEN 0 AND 4294967295)
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
  UNIQUE (zone_id, owner, type, content),
  CHECK (typeof(owner) = 'text' AND owner NOT GLOB '*[^!-~]*' AND owner NOT GLOB '*[A-Z]*' AND '.' || owner || '.' NOT GLOB '*..*'
         AND owner NOT GLOB '*' || replace(hex(zeroblob(128)), '0', '[^.]') || '*' AND length(owner) BETWEEN 1 AND 1004),
  CHECK (type IN ('A', 'AAAA', 'MX', 'TXT', 'CNAME', 'NS', 'CAA', 'SRV', 'PTR')),
  CHECK (length(content) BETWEEN 1 AND 65535)
);

CREATE TABLE ip_pool (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  name TEXT NOT NULL,
  purpose TEXT NOT NULL DEFAULT 'sending' CHECK (purpose IN ('sending', 'forwarding')),
  UNIQUE (platform_id, name),
  CHECK (typeof(name) = 'text' AND name NOT GLOB '*[^a-z0-9-]*' AND name NOT GLOB '-*' AND name NOT GLOB '*-'
         AND length(name) BETWEEN 1 AND 63)
);
CREATE TABLE ip_address (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  pool_id INTEGER NOT NULL REFERENCES ip_pool (id),
  address TEXT NOT NULL UNIQUE,
  host_name TEXT NOT NULL,                       -- HELO name: PTR, A/AAAA and the host's SPF come from this row
  CHECK (typeof(host_name) = 'text' AND host_name NOT GLOB '*[^a-z0-9.-]*' AND '.' || host_name || '.' NOT GLOB '*..*'
         AND '.' || host_name || '.' NOT GLOB '*.-*' AND '.' || host_name || '.' NOT GLOB '*-.*'
         AND host_name NOT GLOB '*' || replace(hex(zeroblob(32)), '0', '[^.]') || '*' AND length(host_name) BETWEEN 1 AND 253),
  CHECK (instr(host_name, '.') > 0),
  CHECK (typeof(address) = 'text' AND address NOT GLOB '*[^0-9a-f.:]*' AND length(address) BETWEEN 2 AND 45)
);
CREATE TABLE relay (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  name TEXT NOT NULL,
  spf_include TEXT,
  envelope TEXT NOT NULL DEFAULT 'relay' CHECK (envelope IN ('relay', 'own')),
  UNIQUE (platform_id, name),
  CHECK (typeof(name) = 'text' AND name NOT GLOB '*[^a-z0-9-]*' AND name NOT GLOB '-*' AND name NOT GLOB '*-'
         AND length(name) BETWEEN 1 AND 63),
  CHECK (spf_include IS NULL OR (typeof(spf_include) = 'text' AND spf_include NOT GLOB '*[^a-z0-9._-]*' AND '.' || spf_include || '.' NOT GLOB '*..*'
         AND '.' || spf_include || '.' NOT GLOB '*.-*' AND '.' || spf_include || '.' NOT GLOB '*-.*'
         AND spf_include NOT GLOB '*' || replace(hex(zeroblob(32)), '0', '[^.]') || '*' AND length(spf_include) BETWEEN 1 AND 253))
);

CREATE TABLE tenant (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  platform_id INTEGER NOT NULL REFERENCES platform (id),
  slug TEXT NOT NULL,                           -- one LDH label, none of reserved_slug
  external_id TEXT UNIQUE,                      -- the application's own id
  state TEXT NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
  UNIQUE (platform_id, slug),
  CHECK (typeof(slug) = 'text' AND slug NOT GLOB '*[^a-z0-9-]*' AND slug NOT GLOB '-*' AND slug NOT GLOB '*-'
         AND length(slug) BETWEEN 1 AND 63)
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
  CHECK ((tenant_id IS NULL) = (kind IN ('platform', 'common'))),
  CHECK (typeof(name) = 'text' AND name NOT GLOB '*[^a-z0-9.-]*' AND '.' || name || '.' NOT GLOB '*..*'
         AND '.' || name || '.' NOT GLOB '*.-*' AND '.' || name || '.' NOT GLOB '*-.*'
         AND name NOT GLOB '*' || replace(hex(zeroblob(32)), '0', '[^.]') || '*' AND length(name) BETWEEN 1 AND 253),
  CHECK (instr(name, '.') > 0),
  CHECK (typeof(token) = 'text' AND length(token) = 32 AND token NOT GLOB '*[^0-9a-f]*')
);
CREATE INDEX domain_by_tenant ON domain (tenant_id);
CREATE INDEX domain_by_platform ON domain (platform_id, kind);
CREATE INDEX static_record_by_owner ON static_record (owner);
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
  UNIQUE (platform_id, name), UNIQUE (domain_id, name),
  CHECK (typeof(name) = 'text' AND name NOT GLOB '*[^a-z0-9_-]*' AND length(name) BETWEEN 1 AND 63)
);
CREATE TABLE login (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant_id INTEGER NOT NULL REFERENCES tenant (id),
  name TEXT NOT NULL UNIQUE CHECK (name = lower(name)),  -- one case: Postfix compares logins without it
  password_hash TEXT NOT NULL,                  -- {SHA512-CRYPT}$6$... as Dovecot reads it
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f000', 'now')),
  CHECK (length(name) BETWEEN 1 AND 254 AND name NOT GLOB '*[^!-~]*'),
  CHECK (length(password_hash) > 0)
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
  destroyed_at TEXT,                             -- the private half is gone
  CHECK (length(public_key) > 0),
  CHECK (length(fingerprint) = 64 AND fingerprint NOT GLOB '*[^0-9a-f]*'),
  CHECK (bits > 0)
);
CREATE INDEX dkim_key_spare ON dkim_key (algorithm, bits, assigned_at);
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
  PRIMARY KEY (domain_id, algorithm),
  CHECK (algorithm IN ('rsa', 'ed25519'))
);
CREATE INDEX active_key_by_selector ON active_key (selector_id);
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

-- Helpers of the triggers; nobody else writes them.
-- Every suffix, the whole name included, of names that must not collide with a tenant's: static records, hosts, mail
-- exchangers, zones, custom domains, departed custom domains. "Is there anything at or below X" is one lookup.
CREATE TABLE name_suffix (
  suffix TEXT NOT NULL,
  entity TEXT NOT NULL CHECK (entity IN ('domain', 'departed', 'zone', 'static_record', 'ip_address', 'mail_exchanger')),
  entity_id INTEGER NOT NULL,
  PRIMARY KEY (suffix, entity, entity_id)
) WITHOUT ROWID;
CREATE INDEX name_suffix_by_entity ON name_suffix (entity, entity_id);
-- Domains that a trigger is just moving or deleting: empty but within such a statement.
CREATE TABLE domain_moving (domain_id INTEGER PRIMARY KEY);
-- 1 to 1004: the suffixes of NAME are substr(NAME, n) for n = 1 and behind each dot.
CREATE TABLE text_position (n INTEGER PRIMARY KEY);
WITH RECURSIVE counted (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 1004)
INSERT INTO text_position (n) SELECT n FROM counted;

-- Labels below a platform's name that are ours: nobody's slug.
INSERT INTO reserved_slug (slug) VALUES
  ('sig'), ('srs'), ('rp'), ('dkim'), ('sts'), ('mta-sts'), ('_spf'), ('_dmarc'), ('_domainkey'), ('_report'), ('_smtp'),
  ('_mta-sts'), ('bounce'), ('common'), ('mx'), ('mx1'), ('mx2'), ('mail'), ('smtp'), ('imap'), ('pop'), ('pop3'),
  ('www'), ('ns'), ('ns1'), ('ns2'), ('dns'), ('autoconfig'), ('autodiscover'), ('localhost'), ('wpad'), ('isatap');
