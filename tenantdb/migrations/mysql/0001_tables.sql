-- The tenant database, MariaDB and MySQL. The contract of every column stands in docs/sql-contract.md; the tables mirror
-- migrations/sqlite. Times are UTC DATETIME(6) (TIMESTAMP ends in 2038); names ascii_bin, lower case, no final dot; free
-- text utf8mb4. (schema_info is made by the migrator before the first of these files.)
--
-- What a CHECK says of a name: labels of 1 to 63 octets with no hyphen at an end, at most 253 octets in all (RFC 1035
-- section 2.3.4). `$` alone would let a final line feed pass, so the octets are looked at once more.
--
-- No ON DELETE CASCADE anywhere: a cascade fires no trigger.
CREATE TABLE platform (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,  -- shop.example
  dmarc_policy VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'quarantine'
    CHECK (dmarc_policy IN ('none', 'quarantine', 'reject')),
  dmarc_rua VARCHAR(2000) CHARACTER SET utf8mb4 NOT NULL DEFAULT '',        -- mailto:a@b,mailto:c@d
  drain_seconds BIGINT NOT NULL DEFAULT 604800 CHECK (drain_seconds >= 0),     -- a departed name answers so long
  revoke_seconds BIGINT NOT NULL DEFAULT 604800 CHECK (revoke_seconds >= 0),   -- then its keys are empty so long
  created_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  CHECK (name REGEXP '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$'
         AND name NOT REGEXP '[^a-z0-9.-]')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE mail_exchanger (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  platform_id BIGINT NOT NULL,
  preference INT NOT NULL DEFAULT 10 CHECK (preference BETWEEN 0 AND 65535),
  host_name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  UNIQUE KEY (platform_id, host_name),
  FOREIGN KEY (platform_id) REFERENCES platform (id),
  CHECK (host_name REGEXP '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$'
         AND host_name NOT REGEXP '[^a-z0-9.-]')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- PowerDNS reads a zone's id as a signed int: the column cannot hold more. AUTO_INCREMENT survives a restart since
-- MariaDB 10.2 and MySQL 8.0, so an id is never used again.
CREATE TABLE zone (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  platform_id BIGINT NULL,
  name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  kind VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
    CHECK (kind IN ('platform', 'key_target', 'return_path', 'reverse', 'hosted')),
  primary_server VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- SOA MNAME; NS records: static_record
  hostmaster VARCHAR(1004) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,     -- SOA RNAME, as a name
  refresh INT NOT NULL DEFAULT 10800, retry INT NOT NULL DEFAULT 3600,
  expire INT NOT NULL DEFAULT 604800, minimum INT NOT NULL DEFAULT 60,
  ttl INT NOT NULL DEFAULT 300 CHECK (ttl >= 0),
  -- One of each per platform; any number of reverse and hosted ones.
  single_kind VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin
    AS (CASE WHEN kind IN ('platform', 'key_target', 'return_path') THEN kind ELSE NULL END) STORED,
  UNIQUE KEY zone_by_kind (platform_id, single_kind),
  KEY (platform_id, kind),
  FOREIGN KEY (platform_id) REFERENCES platform (id),
  CHECK (name REGEXP '^[a-z0-9_/]([a-z0-9_/-]{0,61}[a-z0-9_/])?([.][a-z0-9_/]([a-z0-9_/-]{0,61}[a-z0-9_/])?)*$'
         AND name NOT REGEXP '[^a-z0-9._/-]'),
  CHECK (primary_server REGEXP '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$'
         AND primary_server NOT REGEXP '[^a-z0-9.-]'),
  CHECK (hostmaster NOT REGEXP '[^!-~]|[A-Z]|[.][.]|^[.]|[.]$|^$'),
  CHECK (kind = 'reverse' OR platform_id IS NOT NULL),
  CHECK ((kind = 'reverse') = (name LIKE '%.in-addr.arpa' OR name LIKE '%.ip6.arpa')),
  CHECK (refresh > 0 AND retry > 0 AND expire > 0 AND minimum >= 0)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE zone_serial (
  zone_id INT NOT NULL PRIMARY KEY,             -- no foreign key: writers would wait for it
  serial BIGINT NOT NULL DEFAULT 1 CHECK (serial BETWEEN 0 AND 4294967295)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE zone_metadata (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  zone_id INT NOT NULL,
  kind VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  value VARCHAR(500) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  UNIQUE KEY (zone_id, kind, value),
  FOREIGN KEY (zone_id) REFERENCES zone (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE static_record (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  zone_id INT NOT NULL,
  owner VARCHAR(1004) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- absolute, without final dot
  type VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
    CHECK (type IN ('A', 'AAAA', 'MX', 'TXT', 'CNAME', 'NS', 'CAA', 'SRV', 'PTR')),
  ttl INT NOT NULL DEFAULT 300 CHECK (ttl >= 0),
  content TEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  content_hash CHAR(64) CHARACTER SET ascii COLLATE ascii_bin AS (sha2(content, 256)) STORED,  -- no index holds a TEXT
  UNIQUE KEY (zone_id, owner, type, content_hash),
  KEY static_record_by_owner (owner),
  FOREIGN KEY (zone_id) REFERENCES zone (id),
  CHECK (owner NOT REGEXP '[^!-~]|[A-Z]|[.][.]|^[.]|[.]$|^$'),
  CHECK (length(content) > 0)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE ip_pool (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  platform_id BIGINT NOT NULL,
  name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  purpose VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'sending'
    CHECK (purpose IN ('sending', 'forwarding')),
  UNIQUE KEY (platform_id, name),
  FOREIGN KEY (platform_id) REFERENCES platform (id),
  CHECK (name REGEXP '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' AND name NOT REGEXP '[^a-z0-9-]')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE ip_address (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  pool_id BIGINT NOT NULL,
  address VARCHAR(45) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  host_name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- HELO name: PTR, A/AAAA, its SPF: this row
  KEY ip_address_by_host (host_name),
  FOREIGN KEY (pool_id) REFERENCES ip_pool (id),
  CHECK (host_name REGEXP '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$'
         AND host_name NOT REGEXP '[^a-z0-9.-]'),
  CHECK (address NOT REGEXP '[^0-9a-f.:]' AND length(address) >= 2)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE relay (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  platform_id BIGINT NOT NULL,
  name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  spf_include VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NULL,
  envelope VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'relay'
    CHECK (envelope IN ('relay', 'own')),
  UNIQUE KEY (platform_id, name),
  FOREIGN KEY (platform_id) REFERENCES platform (id),
  CHECK (name REGEXP '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' AND name NOT REGEXP '[^a-z0-9-]'),
  CHECK (spf_include REGEXP '^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?([.][a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$'
         AND spf_include NOT REGEXP '[^a-z0-9._-]')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE tenant (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  platform_id BIGINT NOT NULL,
  slug VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- one LDH label, none of reserved_slug
  external_id VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL UNIQUE,  -- the application's own id
  state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'active'
    CHECK (state IN ('active', 'suspended')),
  created_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  UNIQUE KEY (platform_id, slug),
  FOREIGN KEY (platform_id) REFERENCES platform (id),
  CHECK (slug REGEXP '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' AND slug NOT REGEXP '[^a-z0-9-]')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE reserved_slug (slug VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY)
  ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE domain (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  platform_id BIGINT NOT NULL,
  tenant_id BIGINT NULL,                        -- NULL for kinds platform and common
  name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  kind VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
    CHECK (kind IN ('subdomain', 'delegated', 'hosted', 'platform', 'common')),
  token CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE DEFAULT (lower(hex(random_bytes(16)))),
  external_id VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL UNIQUE,
  state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'unverified'
    CHECK (state IN ('unverified', 'verified', 'degraded')),
  verified_at DATETIME(6) NULL,
  bounce_verified_at DATETIME(6) NULL,
  signing VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'own' CHECK (signing IN ('own', 'common')),
  zone_id INT NULL,
  dmarc_policy VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NULL
    CHECK (dmarc_policy IN ('none', 'quarantine', 'reject')),
  dmarc_rua VARCHAR(2000) CHARACTER SET utf8mb4 NULL,
  created_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  KEY domain_by_tenant (tenant_id),
  KEY domain_by_platform (platform_id, kind),
  FOREIGN KEY (platform_id) REFERENCES platform (id),
  FOREIGN KEY (tenant_id) REFERENCES tenant (id),
  FOREIGN KEY (zone_id) REFERENCES zone (id),
  CHECK ((tenant_id IS NULL) = (kind IN ('platform', 'common'))),
  CHECK (name REGEXP '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?([.][a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$'
         AND name NOT REGEXP '[^a-z0-9.-]'),
  CHECK (token REGEXP '^[0-9a-f]{32}$')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
-- Every envelope domain that a domain's mail may have; kept by triggers, never written by others. The key of the signing
-- view: OpenDKIM and Postfix look rows up by it. No foreign key: the platform's row takes the hosts of all its addresses.
CREATE TABLE envelope_domain (
  name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  domain_id BIGINT NOT NULL,
  author VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- d= when the domain signs with its own key
  KEY envelope_by_domain (domain_id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE stream (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  platform_id BIGINT NULL,                      -- a platform's streams are the defaults of all its domains
  domain_id BIGINT NULL,                        -- a domain's own stream replaces the platform's of that name
  name VARCHAR(63) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  pool_id BIGINT NULL,
  relay_id BIGINT NULL,
  UNIQUE KEY (platform_id, name), UNIQUE KEY (domain_id, name),
  FOREIGN KEY (platform_id) REFERENCES platform (id),
  FOREIGN KEY (domain_id) REFERENCES domain (id),
  FOREIGN KEY (pool_id) REFERENCES ip_pool (id),
  FOREIGN KEY (relay_id) REFERENCES relay (id),
  CHECK ((platform_id IS NULL) <> (domain_id IS NULL)),
  CHECK ((pool_id IS NULL) <> (relay_id IS NULL)),
  CHECK (name <> '' AND name NOT REGEXP '[^a-z0-9_-]')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE login (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  tenant_id BIGINT NOT NULL,
  name VARCHAR(254) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  password_hash VARCHAR(500) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,  -- {SHA512-CRYPT}$6$... as Dovecot reads it
  created_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  FOREIGN KEY (tenant_id) REFERENCES tenant (id),
  CHECK (name <> '' AND name NOT REGEXP '[^!-~]|[A-Z]'),  -- one case: Postfix compares logins without it
  CHECK (password_hash <> '')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE login_domain (
  login_id BIGINT NOT NULL,
  domain_id BIGINT NOT NULL,
  PRIMARY KEY (login_id, domain_id),
  KEY login_domain_by_domain (domain_id),
  FOREIGN KEY (login_id) REFERENCES login (id),
  FOREIGN KEY (domain_id) REFERENCES domain (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

CREATE TABLE dkim_key (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  algorithm VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
  bits INT NOT NULL CHECK (bits > 0),
  public_key TEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL CHECK (length(public_key) > 0),  -- p=
  fingerprint CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,  -- SHA-256 of the SubjectPublicKeyInfo
  generated_at DATETIME(6) NOT NULL,
  assigned_at DATETIME(6) NULL,                 -- NULL: a spare of the pool; a key is assigned once
  destroyed_at DATETIME(6) NULL,                -- the private half is gone
  KEY dkim_key_spare (algorithm, bits, assigned_at),
  CHECK (fingerprint REGEXP '^[0-9a-f]{64}$')
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE dkim_selector (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  domain_id BIGINT NOT NULL,
  slot VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin NOT NULL CHECK (slot IN ('mz1', 'mz2')),
  key_id BIGINT NOT NULL UNIQUE,
  generation BIGINT NOT NULL DEFAULT 1,
  generated_at DATETIME(6) NULL, published_at DATETIME(6) NULL, proven_at DATETIME(6) NULL, activated_at DATETIME(6) NULL,
  drained_at DATETIME(6) NULL, revoked_at DATETIME(6) NULL, emptied_at DATETIME(6) NULL,
  owner VARCHAR(190) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL, lease_until DATETIME(6) NULL,  -- who holds it
  live_slot VARCHAR(3) CHARACTER SET ascii COLLATE ascii_bin
    AS (CASE WHEN emptied_at IS NULL THEN slot ELSE NULL END) STORED,
  UNIQUE KEY dkim_selector_slot (domain_id, live_slot),
  FOREIGN KEY (domain_id) REFERENCES domain (id),
  FOREIGN KEY (key_id) REFERENCES dkim_key (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE active_key (
  domain_id BIGINT NOT NULL,
  algorithm VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL CHECK (algorithm IN ('rsa', 'ed25519')),
  selector_id BIGINT NOT NULL,
  PRIMARY KEY (domain_id, algorithm),
  KEY active_key_by_selector (selector_id),
  FOREIGN KEY (domain_id) REFERENCES domain (id),
  FOREIGN KEY (selector_id) REFERENCES dkim_selector (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
-- Private PEM of RSA-2048 is about 1,700 octets. Only mailzone_keys may read it; the view `signing` may by its definer.
CREATE TABLE dkim_secret (
  key_id BIGINT NOT NULL PRIMARY KEY,
  private_pem TEXT CHARACTER SET ascii COLLATE ascii_bin NOT NULL CHECK (length(private_pem) > 0),
  FOREIGN KEY (key_id) REFERENCES dkim_key (id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE departed (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  platform_id BIGINT NOT NULL, tenant_id BIGINT NULL, domain_id BIGINT NOT NULL,
  name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  kind VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  token CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
  was_verified TINYINT NOT NULL,
  dmarc_policy VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin NULL, dmarc_rua VARCHAR(2000) CHARACTER SET utf8mb4 NULL,
  mz1_key_id BIGINT NULL, mz2_key_id BIGINT NULL,
  left_at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  revoked_at DATETIME(6) NULL,                  -- draining is over: keys are published with an empty p=
  gone_at DATETIME(6) NULL,                     -- nothing is published any more; the row stays: its name goes to nobody else
  KEY departed_by_name (name)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;

-- The feed: triggers write feed_inbox and nothing else; feed_advance numbers what is committed (docs/sql-contract.md).
CREATE TABLE feed_inbox (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  entity VARCHAR(13) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
    CHECK (entity IN ('platform', 'pool', 'zone', 'static_record', 'domain', 'departed', 'zone_metadata')),
  entity_id BIGINT NOT NULL,
  zone_id INT NULL                              -- whose serial rises; NULL: every zone's
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE change_log (
  seq BIGINT NOT NULL PRIMARY KEY,
  entity VARCHAR(13) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, entity_id BIGINT NOT NULL, zone_id INT NULL,
  nonce CHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT (lower(hex(random_bytes(8)))),
  at DATETIME(6) NOT NULL DEFAULT (utc_timestamp(6)),
  inbox_id BIGINT NULL                          -- the row that it was: feed_advance deletes what it has copied by it
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
CREATE TABLE feed_head (one TINYINT NOT NULL PRIMARY KEY CHECK (one = 1), seq BIGINT NOT NULL)
  ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
INSERT INTO feed_head (one, seq) VALUES (1, 0);

-- Helpers of the triggers; nobody else writes them.
-- Every suffix, the whole name included, of names that must not collide with a tenant's: static records, hosts, mail
-- exchangers, zones, custom domains, departed custom domains. "Is there anything at or below X" is one lookup.
CREATE TABLE name_suffix (
  suffix VARCHAR(1004) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  entity VARCHAR(14) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
    CHECK (entity IN ('domain', 'departed', 'zone', 'static_record', 'ip_address', 'mail_exchanger')),
  entity_id BIGINT NOT NULL,
  PRIMARY KEY (suffix, entity, entity_id),
  KEY name_suffix_by_entity (entity, entity_id)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
-- Two names of which one lies below the other share their last two labels. Who inserts a custom domain takes the row of
-- its last two first, so that two writers at once cannot each miss the other's name.
CREATE TABLE name_guard (
  suffix VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
  touched BIGINT NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
-- Domains that a trigger is just moving or deleting: empty but within such a statement.
CREATE TABLE domain_moving (domain_id BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
-- 1 to 1004: the suffixes of NAME are substr(NAME, n) for n = 1 and behind each dot.
CREATE TABLE text_position (n INT NOT NULL PRIMARY KEY) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
INSERT INTO text_position (n)  -- in steps of four: servers stop a recursion after 1,000
  WITH RECURSIVE counted (n) AS (
    SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT n + 4 FROM counted WHERE n <= 1000)
  SELECT n FROM counted;

-- Labels below a platform's name that are ours: nobody's slug.
INSERT INTO reserved_slug (slug) VALUES
  ('sig'), ('srs'), ('rp'), ('dkim'), ('sts'), ('mta-sts'), ('_spf'), ('_dmarc'), ('_domainkey'), ('_report'), ('_smtp'),
  ('_mta-sts'), ('bounce'), ('common'), ('mx'), ('mx1'), ('mx2'), ('mail'), ('smtp'), ('imap'), ('pop'), ('pop3'),
  ('www'), ('ns'), ('ns1'), ('ns2'), ('dns'), ('autoconfig'), ('autodiscover'), ('localhost'), ('wpad'), ('isatap');
