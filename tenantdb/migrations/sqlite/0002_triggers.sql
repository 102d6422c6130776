-- What every writer's INSERT, UPDATE and DELETE brings about, and what is refused. SQLite.
--
-- SQLite has no procedures. A view NAME_check or NAME_refresh with an INSTEAD OF trigger is one: "call" it by an INSERT.
-- Messages are the same as those of MySQL.

-- The zones in whose serial a domain's records count.
CREATE VIEW domain_zone AS
  SELECT d.id AS domain_id, z.id AS zone_id
  FROM domain d JOIN zone z ON z.platform_id = d.platform_id AND z.kind IN ('platform', 'key_target', 'return_path')
  WHERE z.kind = 'platform' OR d.kind = 'delegated';
CREATE VIEW departed_zone AS
  SELECT d.id AS departed_id, z.id AS zone_id
  FROM departed d JOIN zone z ON z.platform_id = d.platform_id AND z.kind IN ('platform', 'key_target', 'return_path')
  WHERE z.kind = 'platform' OR d.kind = 'delegated';

-- A name of the platform's own (record, host, mail exchanger, zone) must not lie at or below a tenant's name.
CREATE VIEW own_name_check AS SELECT '' AS name WHERE 0;
CREATE TRIGGER own_name_check_call INSTEAD OF INSERT ON own_name_check
BEGIN
  SELECT RAISE(ABORT, 'the name lies at or below the name of a tenant''s domain')
  WHERE EXISTS (
    SELECT 1 FROM text_position p CROSS JOIN domain d ON d.name = substr(NEW.name, p.n)
    WHERE p.n <= length(NEW.name) AND (p.n = 1 OR substr(NEW.name, p.n - 1, 1) = '.') AND d.tenant_id IS NOT NULL);
  SELECT RAISE(ABORT, 'the name lies at or below a departed name that still answers')
  WHERE EXISTS (
    SELECT 1 FROM text_position p CROSS JOIN departed d ON d.name = substr(NEW.name, p.n)
    WHERE p.n <= length(NEW.name) AND (p.n = 1 OR substr(NEW.name, p.n - 1, 1) = '.')
      AND d.tenant_id IS NOT NULL AND d.gone_at IS NULL);
END;

CREATE VIEW suffix_refresh AS SELECT '' AS name, '' AS entity, 0 AS entity_id WHERE 0;
CREATE TRIGGER suffix_refresh_call INSTEAD OF INSERT ON suffix_refresh
BEGIN
  DELETE FROM name_suffix WHERE entity = NEW.entity AND entity_id = NEW.entity_id;
  INSERT INTO name_suffix (suffix, entity, entity_id)
  SELECT substr(NEW.name, p.n), NEW.entity, NEW.entity_id FROM text_position p
  WHERE p.n <= length(NEW.name) AND (p.n = 1 OR substr(NEW.name, p.n - 1, 1) = '.');
END;

-- Platform ------------------------------------------------------------------------------------------------------------
CREATE TRIGGER platform_after_insert AFTER INSERT ON platform
BEGIN
  INSERT INTO domain (platform_id, name, kind) VALUES (NEW.id, NEW.name, 'platform');
  INSERT INTO domain (platform_id, name, kind) VALUES (NEW.id, 'sig.' || NEW.name, 'common');
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.id, NULL);
END;
CREATE TRIGGER platform_before_update BEFORE UPDATE OF id, name ON platform
WHEN NEW.name IS NOT OLD.name OR NEW.id IS NOT OLD.id
BEGIN
  SELECT RAISE(ABORT, 'a platform keeps its name and id');
END;
CREATE TRIGGER platform_after_update AFTER UPDATE ON platform
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.id, NULL);
END;
CREATE TRIGGER platform_before_delete BEFORE DELETE ON platform
BEGIN
  SELECT RAISE(ABORT, 'a platform cannot be deleted');
END;

CREATE TRIGGER mail_exchanger_before_insert BEFORE INSERT ON mail_exchanger
BEGIN
  INSERT INTO own_name_check (name) VALUES (NEW.host_name);
END;
CREATE TRIGGER mail_exchanger_after_insert AFTER INSERT ON mail_exchanger
BEGIN
  INSERT INTO suffix_refresh (name, entity, entity_id) VALUES (NEW.host_name, 'mail_exchanger', NEW.id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.platform_id, NULL);
END;
CREATE TRIGGER mail_exchanger_before_update BEFORE UPDATE ON mail_exchanger
BEGIN
  SELECT RAISE(ABORT, 'a mail exchanger stays with its platform')
  WHERE NEW.platform_id IS NOT OLD.platform_id OR NEW.id IS NOT OLD.id;
  INSERT INTO own_name_check (name) VALUES (NEW.host_name);
END;
CREATE TRIGGER mail_exchanger_after_update AFTER UPDATE ON mail_exchanger
BEGIN
  INSERT INTO suffix_refresh (name, entity, entity_id) VALUES (NEW.host_name, 'mail_exchanger', NEW.id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.platform_id, NULL);
END;
CREATE TRIGGER mail_exchanger_after_delete AFTER DELETE ON mail_exchanger
BEGIN
  DELETE FROM name_suffix WHERE entity = 'mail_exchanger' AND entity_id = OLD.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', OLD.platform_id, NULL);
END;

-- Zones ---------------------------------------------------------------------------------------------------------------
CREATE TRIGGER zone_before_insert BEFORE INSERT ON zone
BEGIN
  SELECT RAISE(ABORT, 'the zones of a platform are called NAME (platform), dkim.NAME (key_target) and rp.NAME (return_path)')
  WHERE NEW.kind IN ('platform', 'key_target', 'return_path') AND NOT EXISTS (
    SELECT 1 FROM platform p WHERE p.id = NEW.platform_id
      AND NEW.name = CASE NEW.kind WHEN 'key_target' THEN 'dkim.' WHEN 'return_path' THEN 'rp.' ELSE '' END || p.name);
  INSERT INTO own_name_check (name) SELECT NEW.name WHERE NEW.kind <> 'hosted';
  SELECT RAISE(ABORT, 'a tenant''s domain lies below the name of this zone')
  WHERE NEW.kind <> 'hosted' AND EXISTS (
    SELECT 1 FROM name_suffix s JOIN domain d ON d.id = s.entity_id
    WHERE s.suffix = NEW.name AND s.entity = 'domain' AND d.tenant_id IS NOT NULL);
END;
CREATE TRIGGER zone_after_insert AFTER INSERT ON zone
BEGIN
  INSERT INTO zone_serial (zone_id) VALUES (NEW.id);
  INSERT INTO suffix_refresh (name, entity, entity_id) SELECT NEW.name, 'zone', NEW.id WHERE NEW.kind <> 'hosted';
  UPDATE domain SET zone_id = NEW.id
  WHERE NEW.kind = 'platform' AND platform_id = NEW.platform_id AND kind IN ('subdomain', 'platform', 'common')
    AND zone_id IS NULL;
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone', NEW.id, NEW.id);
END;
CREATE TRIGGER zone_before_update BEFORE UPDATE OF id, name, kind, platform_id ON zone
WHEN NEW.name IS NOT OLD.name OR NEW.kind IS NOT OLD.kind OR NEW.platform_id IS NOT OLD.platform_id OR NEW.id IS NOT OLD.id
BEGIN
  SELECT RAISE(ABORT, 'a zone keeps its name, kind and platform');
END;
CREATE TRIGGER zone_after_update AFTER UPDATE ON zone
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone', NEW.id, NEW.id);
END;
CREATE TRIGGER zone_after_delete AFTER DELETE ON zone
BEGIN
  DELETE FROM zone_serial WHERE zone_id = OLD.id;
  DELETE FROM name_suffix WHERE entity = 'zone' AND entity_id = OLD.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone', OLD.id, OLD.id);
END;

CREATE TRIGGER zone_metadata_after_insert AFTER INSERT ON zone_metadata
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone_metadata', NEW.id, NEW.zone_id);
END;
CREATE TRIGGER zone_metadata_after_update AFTER UPDATE ON zone_metadata
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone_metadata', NEW.id, NEW.zone_id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) SELECT 'zone_metadata', OLD.id, OLD.zone_id WHERE NEW.zone_id <> OLD.zone_id;
END;
CREATE TRIGGER zone_metadata_after_delete AFTER DELETE ON zone_metadata
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone_metadata', OLD.id, OLD.zone_id);
END;

CREATE VIEW static_record_check AS SELECT 0 AS id, 0 AS zone_id, '' AS owner, '' AS type WHERE 0;
CREATE TRIGGER static_record_check_call INSTEAD OF INSERT ON static_record_check
BEGIN
  SELECT RAISE(ABORT, 'the owner of a static record lies at or below the name of its zone')
  WHERE EXISTS (
    SELECT 1 FROM zone z WHERE z.id = NEW.zone_id AND NEW.owner <> z.name
      AND substr(NEW.owner, -length(z.name) - 1) <> '.' || z.name);
  SELECT RAISE(ABORT, 'a CNAME cannot stand at the apex of a zone')
  WHERE NEW.type = 'CNAME' AND EXISTS (SELECT 1 FROM zone z WHERE z.id = NEW.zone_id AND z.name = NEW.owner);
  SELECT RAISE(ABORT, 'a CNAME stands alone at its owner')
  WHERE EXISTS (
    SELECT 1 FROM static_record r WHERE r.owner = NEW.owner AND r.zone_id = NEW.zone_id AND r.id <> NEW.id
      AND (r.type = 'CNAME' OR NEW.type = 'CNAME'));
  INSERT INTO own_name_check (name) SELECT NEW.owner FROM zone z WHERE z.id = NEW.zone_id AND z.kind <> 'hosted';
END;
CREATE TRIGGER static_record_before_insert BEFORE INSERT ON static_record
BEGIN
  INSERT INTO static_record_check (id, zone_id, owner, type) VALUES (coalesce(NEW.id, -1), NEW.zone_id, NEW.owner, NEW.type);
END;
CREATE TRIGGER static_record_after_insert AFTER INSERT ON static_record
BEGIN
  INSERT INTO suffix_refresh (name, entity, entity_id) VALUES (NEW.owner, 'static_record', NEW.id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('static_record', NEW.id, NEW.zone_id);
END;
CREATE TRIGGER static_record_before_update BEFORE UPDATE ON static_record
BEGIN
  SELECT RAISE(ABORT, 'a static record keeps its id') WHERE NEW.id IS NOT OLD.id;
  INSERT INTO static_record_check (id, zone_id, owner, type) VALUES (NEW.id, NEW.zone_id, NEW.owner, NEW.type);
END;
CREATE TRIGGER static_record_after_update AFTER UPDATE ON static_record
BEGIN
  INSERT INTO suffix_refresh (name, entity, entity_id) VALUES (NEW.owner, 'static_record', NEW.id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('static_record', NEW.id, NEW.zone_id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) SELECT 'static_record', OLD.id, OLD.zone_id WHERE NEW.zone_id <> OLD.zone_id;
END;
CREATE TRIGGER static_record_after_delete AFTER DELETE ON static_record
BEGIN
  DELETE FROM name_suffix WHERE entity = 'static_record' AND entity_id = OLD.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('static_record', OLD.id, OLD.zone_id);
END;

-- Pools, addresses, relays, streams -----------------------------------------------------------------------------------
CREATE TRIGGER ip_pool_after_insert AFTER INSERT ON ip_pool
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', NEW.id, NULL);
END;
CREATE TRIGGER ip_pool_before_update BEFORE UPDATE ON ip_pool
BEGIN
  SELECT RAISE(ABORT, 'a pool stays with its platform') WHERE NEW.platform_id IS NOT OLD.platform_id OR NEW.id IS NOT OLD.id;
  SELECT RAISE(ABORT, 'a stream leaves by a pool whose purpose is sending')
  WHERE NEW.purpose <> 'sending' AND EXISTS (SELECT 1 FROM stream s WHERE s.pool_id = NEW.id);
END;
CREATE TRIGGER ip_pool_after_update AFTER UPDATE ON ip_pool
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', NEW.id, NULL);
END;
CREATE TRIGGER ip_pool_after_delete AFTER DELETE ON ip_pool
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', OLD.id, NULL);
END;

-- A host's name is an envelope domain of the platform's own mail (bounces), so it must be no other domain's.
CREATE VIEW host_check AS SELECT '' AS host_name WHERE 0;
CREATE TRIGGER host_check_call INSTEAD OF INSERT ON host_check
BEGIN
  INSERT INTO own_name_check (name) VALUES (NEW.host_name);
  SELECT RAISE(ABORT, 'the common signing domain, srs.PLATFORM and the zones below the platform are no host names')
  WHERE EXISTS (SELECT 1 FROM domain d WHERE d.name = NEW.host_name AND d.kind = 'common')
     OR EXISTS (SELECT 1 FROM platform p WHERE NEW.host_name = 'srs.' || p.name)
     OR EXISTS (SELECT 1 FROM zone z WHERE z.name = NEW.host_name AND z.kind <> 'platform');
END;
CREATE VIEW host_refresh AS SELECT '' AS host_name WHERE 0;
CREATE TRIGGER host_refresh_call INSTEAD OF INSERT ON host_refresh
BEGIN
  DELETE FROM envelope_domain
  WHERE name = NEW.host_name AND NOT EXISTS (SELECT 1 FROM domain d WHERE d.name = NEW.host_name)
    AND NOT EXISTS (SELECT 1 FROM ip_address a WHERE a.host_name = NEW.host_name);
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT NEW.host_name, min(d.id), NEW.host_name
  FROM ip_address a JOIN ip_pool p ON p.id = a.pool_id JOIN domain d ON d.platform_id = p.platform_id AND d.kind = 'platform'
  WHERE a.host_name = NEW.host_name AND NOT EXISTS (SELECT 1 FROM envelope_domain e WHERE e.name = NEW.host_name)
  HAVING count(*) > 0;
END;
CREATE TRIGGER ip_address_before_insert BEFORE INSERT ON ip_address
BEGIN
  INSERT INTO host_check (host_name) VALUES (NEW.host_name);
END;
CREATE TRIGGER ip_address_after_insert AFTER INSERT ON ip_address
BEGIN
  INSERT INTO suffix_refresh (name, entity, entity_id) VALUES (NEW.host_name, 'ip_address', NEW.id);
  INSERT INTO host_refresh (host_name) VALUES (NEW.host_name);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', NEW.pool_id, NULL);
END;
CREATE TRIGGER ip_address_before_update BEFORE UPDATE ON ip_address
BEGIN
  SELECT RAISE(ABORT, 'an address keeps its id') WHERE NEW.id IS NOT OLD.id;
  INSERT INTO host_check (host_name) VALUES (NEW.host_name);
END;
CREATE TRIGGER ip_address_after_update AFTER UPDATE ON ip_address
BEGIN
  INSERT INTO suffix_refresh (name, entity, entity_id) VALUES (NEW.host_name, 'ip_address', NEW.id);
  INSERT INTO host_refresh (host_name) VALUES (OLD.host_name);
  INSERT INTO host_refresh (host_name) VALUES (NEW.host_name);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', NEW.pool_id, NULL);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) SELECT 'pool', OLD.pool_id, NULL WHERE NEW.pool_id <> OLD.pool_id;
END;
CREATE TRIGGER ip_address_after_delete AFTER DELETE ON ip_address
BEGIN
  DELETE FROM name_suffix WHERE entity = 'ip_address' AND entity_id = OLD.id;
  INSERT INTO host_refresh (host_name) VALUES (OLD.host_name);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', OLD.pool_id, NULL);
END;

CREATE TRIGGER relay_after_insert AFTER INSERT ON relay
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.platform_id, NULL);
END;
CREATE TRIGGER relay_before_update BEFORE UPDATE ON relay
BEGIN
  SELECT RAISE(ABORT, 'a relay stays with its platform') WHERE NEW.platform_id IS NOT OLD.platform_id OR NEW.id IS NOT OLD.id;
END;
CREATE TRIGGER relay_after_update AFTER UPDATE ON relay
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.platform_id, NULL);
END;
CREATE TRIGGER relay_after_delete AFTER DELETE ON relay
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', OLD.platform_id, NULL);
END;

CREATE VIEW stream_check AS SELECT 0 AS platform_id, 0 AS domain_id, 0 AS pool_id, 0 AS relay_id WHERE 0;
CREATE TRIGGER stream_check_call INSTEAD OF INSERT ON stream_check
BEGIN
  SELECT RAISE(ABORT, 'a stream leaves by a pool or relay of its own platform')
  WHERE EXISTS (
    SELECT 1 FROM (SELECT platform_id FROM ip_pool WHERE id = NEW.pool_id UNION ALL
                   SELECT platform_id FROM relay WHERE id = NEW.relay_id) way
    WHERE way.platform_id <> coalesce(NEW.platform_id, (SELECT d.platform_id FROM domain d WHERE d.id = NEW.domain_id)));
  SELECT RAISE(ABORT, 'a stream leaves by a pool whose purpose is sending')
  WHERE EXISTS (SELECT 1 FROM ip_pool p WHERE p.id = NEW.pool_id AND p.purpose <> 'sending');
END;
CREATE VIEW stream_feed AS SELECT 0 AS platform_id, 0 AS domain_id WHERE 0;
CREATE TRIGGER stream_feed_call INSTEAD OF INSERT ON stream_feed
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) SELECT 'platform', NEW.platform_id, NULL WHERE NEW.platform_id IS NOT NULL;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', domain_id, zone_id FROM domain_zone WHERE domain_id = NEW.domain_id;
END;
CREATE TRIGGER stream_before_insert BEFORE INSERT ON stream
BEGIN
  INSERT INTO stream_check (platform_id, domain_id, pool_id, relay_id)
  VALUES (NEW.platform_id, NEW.domain_id, NEW.pool_id, NEW.relay_id);
END;
CREATE TRIGGER stream_after_insert AFTER INSERT ON stream
BEGIN
  INSERT INTO stream_feed (platform_id, domain_id) VALUES (NEW.platform_id, NEW.domain_id);
END;
CREATE TRIGGER stream_before_update BEFORE UPDATE ON stream
BEGIN
  INSERT INTO stream_check (platform_id, domain_id, pool_id, relay_id)
  VALUES (NEW.platform_id, NEW.domain_id, NEW.pool_id, NEW.relay_id);
END;
CREATE TRIGGER stream_after_update AFTER UPDATE ON stream
BEGIN
  INSERT INTO stream_feed (platform_id, domain_id) VALUES (OLD.platform_id, OLD.domain_id);
  INSERT INTO stream_feed (platform_id, domain_id)
  SELECT NEW.platform_id, NEW.domain_id
  WHERE NEW.platform_id IS NOT OLD.platform_id OR NEW.domain_id IS NOT OLD.domain_id;
END;
CREATE TRIGGER stream_after_delete AFTER DELETE ON stream
BEGIN
  INSERT INTO stream_feed (platform_id, domain_id) VALUES (OLD.platform_id, OLD.domain_id);
END;

-- Tenants -------------------------------------------------------------------------------------------------------------
CREATE TRIGGER tenant_before_insert BEFORE INSERT ON tenant
BEGIN
  SELECT RAISE(ABORT, 'the slug is reserved') WHERE EXISTS (SELECT 1 FROM reserved_slug r WHERE r.slug = NEW.slug);
END;
CREATE TRIGGER tenant_after_insert AFTER INSERT ON tenant
BEGIN
  INSERT INTO domain (platform_id, tenant_id, name, kind, zone_id)
  SELECT p.id, NEW.id, NEW.slug || '.' || p.name, 'subdomain',
         (SELECT z.id FROM zone z WHERE z.platform_id = p.id AND z.kind = 'platform')
  FROM platform p WHERE p.id = NEW.platform_id;
END;
CREATE TRIGGER tenant_before_update BEFORE UPDATE ON tenant
BEGIN
  SELECT RAISE(ABORT, 'a tenant stays with its platform')
  WHERE NEW.platform_id IS NOT OLD.platform_id OR NEW.id IS NOT OLD.id;
  SELECT RAISE(ABORT, 'the slug is reserved')
  WHERE NEW.slug IS NOT OLD.slug AND EXISTS (SELECT 1 FROM reserved_slug r WHERE r.slug = NEW.slug);
END;
CREATE TRIGGER tenant_after_update AFTER UPDATE OF slug ON tenant WHEN NEW.slug IS NOT OLD.slug
BEGIN
  UPDATE domain SET name = NEW.slug || '.' || (SELECT p.name FROM platform p WHERE p.id = NEW.platform_id)
  WHERE tenant_id = NEW.id AND kind = 'subdomain';
END;
CREATE TRIGGER tenant_before_delete BEFORE DELETE ON tenant
BEGIN
  DELETE FROM login WHERE tenant_id = OLD.id;
  DELETE FROM domain WHERE tenant_id = OLD.id;
END;

-- Domains -------------------------------------------------------------------------------------------------------------
CREATE VIEW domain_check AS SELECT 0 AS id, 0 AS platform_id, 0 AS tenant_id, '' AS name, '' AS kind WHERE 0;
CREATE TRIGGER domain_check_call INSTEAD OF INSERT ON domain_check
BEGIN
  SELECT RAISE(ABORT, 'the domain''s tenant does not exist on this platform')
  WHERE NEW.tenant_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = NEW.tenant_id AND t.platform_id = NEW.platform_id);
  SELECT RAISE(ABORT, 'a subdomain is called SLUG.PLATFORM')
  WHERE NEW.kind = 'subdomain' AND NOT EXISTS (
    SELECT 1 FROM tenant t JOIN platform p ON p.id = t.platform_id
    WHERE t.id = NEW.tenant_id AND NEW.name = t.slug || '.' || p.name);
  SELECT RAISE(ABORT, 'the platform''s own domain has its name, and the common signing domain is sig.PLATFORM')
  WHERE NEW.kind IN ('platform', 'common') AND NOT EXISTS (
    SELECT 1 FROM platform p
    WHERE p.id = NEW.platform_id AND NEW.name = CASE NEW.kind WHEN 'common' THEN 'sig.' ELSE '' END || p.name);
  -- At or below another's name.
  SELECT RAISE(ABORT, 'the name is equal to or below a name of another tenant or of the platform')
  WHERE NEW.kind IN ('delegated', 'hosted', 'platform') AND (
    EXISTS (
      SELECT 1 FROM text_position p CROSS JOIN domain d ON d.name = substr(NEW.name, p.n)
      WHERE p.n <= length(NEW.name) AND (p.n = 1 OR substr(NEW.name, p.n - 1, 1) = '.')
        AND d.id <> NEW.id AND d.tenant_id IS NOT NEW.tenant_id)
    OR NEW.tenant_id IS NOT NULL AND EXISTS (
      SELECT 1 FROM text_position p CROSS JOIN zone z ON z.name = substr(NEW.name, p.n)
      WHERE p.n <= length(NEW.name) AND (p.n = 1 OR substr(NEW.name, p.n - 1, 1) = '.') AND z.kind <> 'hosted'));
  -- Above another's name, or above a host, record or zone of ours.
  SELECT RAISE(ABORT, 'the name is above a name of another tenant or of the platform')
  WHERE NEW.kind IN ('delegated', 'hosted', 'platform') AND EXISTS (
    SELECT 1 FROM name_suffix s JOIN domain d ON d.id = s.entity_id
    WHERE s.suffix = NEW.name AND s.entity = 'domain' AND d.id <> NEW.id AND d.tenant_id IS NOT NEW.tenant_id);
  SELECT RAISE(ABORT, 'a record, host or zone of the platform has this name or lies below it')
  WHERE NEW.tenant_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM name_suffix s
    WHERE s.suffix = NEW.name AND s.entity IN ('zone', 'static_record', 'ip_address', 'mail_exchanger'));
  SELECT RAISE(ABORT, 'another domain''s bounces come to this name')
  WHERE NEW.name GLOB 'bounce.*' AND EXISTS (
    SELECT 1 FROM domain d WHERE d.name = substr(NEW.name, 8) AND d.bounce_verified_at IS NOT NULL AND d.id <> NEW.id);
  -- What departed goes to nobody else; as long as it answers, neither does what is above or below it.
  SELECT RAISE(ABORT, 'the name departed from another tenant: it goes to nobody else')
  WHERE EXISTS (SELECT 1 FROM departed d WHERE d.name = NEW.name AND d.tenant_id IS NOT NEW.tenant_id);
  SELECT RAISE(ABORT, 'the name is above or below a departed name of another tenant that still answers')
  WHERE NEW.kind IN ('delegated', 'hosted') AND (
    EXISTS (
      SELECT 1 FROM text_position p CROSS JOIN departed d ON d.name = substr(NEW.name, p.n)
      WHERE p.n <= length(NEW.name) AND (p.n = 1 OR substr(NEW.name, p.n - 1, 1) = '.')
        AND d.gone_at IS NULL AND d.tenant_id IS NOT NEW.tenant_id)
    OR EXISTS (
      SELECT 1 FROM name_suffix s JOIN departed d ON d.id = s.entity_id
      WHERE s.suffix = NEW.name AND s.entity = 'departed' AND d.gone_at IS NULL AND d.tenant_id IS NOT NEW.tenant_id));
END;

-- The envelope domains of a tenant's domain, from its row.
CREATE VIEW envelope_refresh AS SELECT 0 AS domain_id WHERE 0;
CREATE TRIGGER envelope_refresh_call INSTEAD OF INSERT ON envelope_refresh
BEGIN
  DELETE FROM envelope_domain
  WHERE domain_id = NEW.domain_id
    AND NOT EXISTS (SELECT 1 FROM domain d WHERE d.id = NEW.domain_id AND d.kind IN ('platform', 'common'));
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT d.name, d.id, d.name FROM domain d
  WHERE d.id = NEW.domain_id AND (d.kind = 'subdomain' OR d.kind IN ('delegated', 'hosted') AND d.state <> 'unverified');
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT d.token || '.rp.' || p.name, d.id, d.name FROM domain d JOIN platform p ON p.id = d.platform_id
  WHERE d.id = NEW.domain_id AND d.kind = 'delegated' AND d.state <> 'unverified';
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT 'bounce.' || d.name, d.id, d.name FROM domain d
  WHERE d.id = NEW.domain_id AND d.kind = 'delegated' AND d.state <> 'unverified' AND d.bounce_verified_at IS NOT NULL;
END;

CREATE TRIGGER domain_before_insert BEFORE INSERT ON domain
BEGIN
  SELECT RAISE(ABORT, 'a domain is not verified without an active key') WHERE NEW.state <> 'unverified';
  SELECT RAISE(ABORT, 'a token is never used again') WHERE EXISTS (SELECT 1 FROM departed d WHERE d.token = NEW.token);
  INSERT INTO domain_check (id, platform_id, tenant_id, name, kind)
  VALUES (coalesce(NEW.id, -1), NEW.platform_id, NEW.tenant_id, NEW.name, NEW.kind);
END;
CREATE TRIGGER domain_after_insert AFTER INSERT ON domain
BEGIN
  INSERT INTO suffix_refresh (name, entity, entity_id)
  SELECT NEW.name, 'domain', NEW.id WHERE NEW.kind IN ('delegated', 'hosted', 'platform');
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT NEW.name, NEW.id, NEW.name WHERE NEW.kind IN ('platform', 'subdomain');
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT 'common', NEW.id, NEW.name
  WHERE NEW.kind = 'common' AND NOT EXISTS (SELECT 1 FROM envelope_domain e WHERE e.name = 'common');
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', domain_id, zone_id FROM domain_zone WHERE domain_id = NEW.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', NEW.id, NEW.zone_id WHERE NEW.kind = 'hosted' AND NEW.zone_id IS NOT NULL;
END;

CREATE TRIGGER domain_before_update BEFORE UPDATE ON domain
BEGIN
  SELECT RAISE(ABORT, 'a domain keeps its id, kind and platform')
  WHERE NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.platform_id IS NOT OLD.platform_id;
  -- A move (below) gives a new one after it has written the old one to departed.
  SELECT RAISE(ABORT, 'a token changes only with the name or the owner')
  WHERE NEW.token IS NOT OLD.token AND NOT EXISTS (SELECT 1 FROM domain_moving m WHERE m.domain_id = OLD.id);
  SELECT RAISE(ABORT, 'a domain is not verified without an active key')
  WHERE NEW.state = 'verified' AND OLD.state <> 'verified'
    AND NOT EXISTS (SELECT 1 FROM active_key a WHERE a.domain_id = NEW.id);
  SELECT RAISE(ABORT, 'only a verified domain becomes degraded')
  WHERE NEW.state = 'degraded' AND OLD.state = 'unverified';
  SELECT RAISE(ABORT, 'another domain has the name bounce.NAME')
  WHERE NEW.bounce_verified_at IS NOT NULL AND OLD.bounce_verified_at IS NULL
    AND EXISTS (SELECT 1 FROM domain d WHERE d.name = 'bounce.' || NEW.name);
  INSERT INTO domain_check (id, platform_id, tenant_id, name, kind)
  SELECT NEW.id, NEW.platform_id, NEW.tenant_id, NEW.name, NEW.kind
  WHERE NEW.name IS NOT OLD.name OR NEW.tenant_id IS NOT OLD.tenant_id;
END;

-- What a domain leaves behind when its row goes, or goes on under another name or owner.
CREATE VIEW domain_depart AS
  SELECT 0 AS domain_id, 0 AS platform_id, 0 AS tenant_id, '' AS name, '' AS kind, '' AS token, '' AS state,
         '' AS dmarc_policy, '' AS dmarc_rua WHERE 0;
CREATE TRIGGER domain_depart_call INSTEAD OF INSERT ON domain_depart
BEGIN
  INSERT INTO domain_moving (domain_id) VALUES (NEW.domain_id);
  INSERT INTO departed (platform_id, tenant_id, domain_id, name, kind, token, was_verified, dmarc_policy, dmarc_rua,
                        mz1_key_id, mz2_key_id)
  SELECT NEW.platform_id, NEW.tenant_id, NEW.domain_id, NEW.name, NEW.kind, NEW.token, NEW.state <> 'unverified',
         NEW.dmarc_policy, NEW.dmarc_rua,
         (SELECT s.key_id FROM dkim_selector s
          WHERE s.domain_id = NEW.domain_id AND s.slot = 'mz1' AND s.revoked_at IS NULL AND s.emptied_at IS NULL),
         (SELECT s.key_id FROM dkim_selector s
          WHERE s.domain_id = NEW.domain_id AND s.slot = 'mz2' AND s.revoked_at IS NULL AND s.emptied_at IS NULL)
  WHERE NEW.kind <> 'delegated' OR EXISTS (SELECT 1 FROM dkim_selector s WHERE s.domain_id = NEW.domain_id);
  DELETE FROM active_key WHERE domain_id = NEW.domain_id;
  DELETE FROM dkim_selector WHERE domain_id = NEW.domain_id;
END;
CREATE TRIGGER domain_after_move AFTER UPDATE OF name, tenant_id ON domain
WHEN NEW.name IS NOT OLD.name OR NEW.tenant_id IS NOT OLD.tenant_id
BEGIN
  INSERT INTO domain_depart (domain_id, platform_id, tenant_id, name, kind, token, state, dmarc_policy, dmarc_rua)
  VALUES (OLD.id, OLD.platform_id, OLD.tenant_id, OLD.name, OLD.kind, OLD.token, OLD.state, OLD.dmarc_policy, OLD.dmarc_rua);
  UPDATE domain SET token = lower(hex(randomblob(16))), state = 'unverified', verified_at = NULL, bounce_verified_at = NULL
  WHERE id = NEW.id;
  DELETE FROM domain_moving WHERE domain_id = NEW.id;
  DELETE FROM login_domain WHERE domain_id = NEW.id AND NEW.tenant_id IS NOT OLD.tenant_id;
  INSERT INTO suffix_refresh (name, entity, entity_id)
  SELECT NEW.name, 'domain', NEW.id WHERE NEW.kind IN ('delegated', 'hosted', 'platform');
  INSERT INTO envelope_refresh (domain_id) VALUES (NEW.id);
END;
CREATE TRIGGER domain_after_update AFTER UPDATE OF name, tenant_id, state, bounce_verified_at, zone_id, dmarc_policy, dmarc_rua
ON domain
BEGIN
  INSERT INTO envelope_refresh (domain_id)
  SELECT NEW.id WHERE NEW.state IS NOT OLD.state OR NEW.bounce_verified_at IS NOT OLD.bounce_verified_at;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', domain_id, zone_id FROM domain_zone WHERE domain_id = NEW.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', NEW.id, NEW.zone_id WHERE NEW.kind = 'hosted' AND NEW.zone_id IS NOT NULL;
END;

CREATE TRIGGER domain_before_delete BEFORE DELETE ON domain
BEGIN
  SELECT RAISE(ABORT, 'the platform''s own domain and the common signing domain cannot be deleted')
  WHERE OLD.kind IN ('platform', 'common');
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', domain_id, zone_id FROM domain_zone WHERE domain_id = OLD.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', OLD.id, OLD.zone_id WHERE OLD.kind = 'hosted' AND OLD.zone_id IS NOT NULL;
  INSERT INTO domain_depart (domain_id, platform_id, tenant_id, name, kind, token, state, dmarc_policy, dmarc_rua)
  VALUES (OLD.id, OLD.platform_id, OLD.tenant_id, OLD.name, OLD.kind, OLD.token, OLD.state, OLD.dmarc_policy, OLD.dmarc_rua);
  DELETE FROM stream WHERE domain_id = OLD.id;
  DELETE FROM login_domain WHERE domain_id = OLD.id;
  DELETE FROM envelope_domain WHERE domain_id = OLD.id;
  DELETE FROM name_suffix WHERE entity = 'domain' AND entity_id = OLD.id;
END;
CREATE TRIGGER domain_after_delete AFTER DELETE ON domain
BEGIN
  DELETE FROM domain_moving WHERE domain_id = OLD.id;
END;

CREATE TRIGGER departed_after_insert AFTER INSERT ON departed
BEGIN
  INSERT INTO suffix_refresh (name, entity, entity_id)
  SELECT NEW.name, 'departed', NEW.id WHERE NEW.kind IN ('delegated', 'hosted');
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'departed', departed_id, zone_id FROM departed_zone WHERE departed_id = NEW.id;
END;
CREATE TRIGGER departed_before_update BEFORE UPDATE ON departed
BEGIN
  SELECT RAISE(ABORT, 'a departed row keeps its name, token and owner')
  WHERE NEW.id IS NOT OLD.id OR NEW.name IS NOT OLD.name OR NEW.token IS NOT OLD.token OR NEW.kind IS NOT OLD.kind
     OR NEW.tenant_id IS NOT OLD.tenant_id OR NEW.platform_id IS NOT OLD.platform_id;
END;
CREATE TRIGGER departed_after_update AFTER UPDATE ON departed
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'departed', departed_id, zone_id FROM departed_zone WHERE departed_id = NEW.id;
END;
CREATE TRIGGER departed_before_delete BEFORE DELETE ON departed
BEGIN
  SELECT RAISE(ABORT, 'a departed row stays, so that its name goes to nobody else');
END;

-- Logins --------------------------------------------------------------------------------------------------------------
CREATE TRIGGER login_before_update BEFORE UPDATE ON login
BEGIN
  SELECT RAISE(ABORT, 'a login stays with its tenant') WHERE NEW.tenant_id IS NOT OLD.tenant_id OR NEW.id IS NOT OLD.id;
END;
CREATE TRIGGER login_before_delete BEFORE DELETE ON login
BEGIN
  DELETE FROM login_domain WHERE login_id = OLD.id;
END;
CREATE VIEW login_domain_check AS SELECT 0 AS login_id, 0 AS domain_id WHERE 0;
CREATE TRIGGER login_domain_check_call INSTEAD OF INSERT ON login_domain_check
BEGIN
  SELECT RAISE(ABORT, 'a login submits for domains of its own tenant')
  WHERE EXISTS (
    SELECT 1 FROM login l JOIN domain d WHERE l.id = NEW.login_id AND d.id = NEW.domain_id AND d.tenant_id IS NOT l.tenant_id);
END;
CREATE TRIGGER login_domain_before_insert BEFORE INSERT ON login_domain
BEGIN
  INSERT INTO login_domain_check (login_id, domain_id) VALUES (NEW.login_id, NEW.domain_id);
END;
CREATE TRIGGER login_domain_before_update BEFORE UPDATE ON login_domain
BEGIN
  INSERT INTO login_domain_check (login_id, domain_id) VALUES (NEW.login_id, NEW.domain_id);
END;

-- Keys ----------------------------------------------------------------------------------------------------------------
CREATE TRIGGER dkim_key_after_update AFTER UPDATE OF algorithm, public_key ON dkim_key
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', z.domain_id, z.zone_id FROM dkim_selector s JOIN domain_zone z ON z.domain_id = s.domain_id
  WHERE s.key_id = NEW.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'departed', z.departed_id, z.zone_id FROM departed d JOIN departed_zone z ON z.departed_id = d.id
  WHERE d.gone_at IS NULL AND NEW.id IN (d.mz1_key_id, d.mz2_key_id);
END;
CREATE VIEW selector_feed AS SELECT 0 AS domain_id WHERE 0;
CREATE TRIGGER selector_feed_call INSTEAD OF INSERT ON selector_feed
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', domain_id, zone_id FROM domain_zone WHERE domain_id = NEW.domain_id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', d.id, d.zone_id FROM domain d WHERE d.id = NEW.domain_id AND d.kind = 'hosted' AND d.zone_id IS NOT NULL;
END;
CREATE TRIGGER dkim_selector_before_insert BEFORE INSERT ON dkim_selector
BEGIN
  SELECT RAISE(ABORT, 'the slot still answers for a departed name')
  WHERE EXISTS (
    SELECT 1 FROM domain d JOIN departed x ON x.name = d.name AND x.gone_at IS NULL AND x.token <> d.token
    WHERE d.id = NEW.domain_id
      AND (NEW.slot = 'mz1' AND x.mz1_key_id IS NOT NULL OR NEW.slot = 'mz2' AND x.mz2_key_id IS NOT NULL)
      AND d.kind <> 'delegated');
END;
CREATE TRIGGER dkim_selector_after_insert AFTER INSERT ON dkim_selector
BEGIN
  INSERT INTO selector_feed (domain_id) VALUES (NEW.domain_id);
END;
CREATE TRIGGER dkim_selector_before_update BEFORE UPDATE ON dkim_selector
BEGIN
  SELECT RAISE(ABORT, 'a selector keeps its domain, slot and key')
  WHERE NEW.id IS NOT OLD.id OR NEW.domain_id IS NOT OLD.domain_id OR NEW.slot IS NOT OLD.slot OR NEW.key_id IS NOT OLD.key_id;
  SELECT RAISE(ABORT, 'the domain signs with this key: activate another first')
  WHERE (NEW.revoked_at IS NOT NULL OR NEW.emptied_at IS NOT NULL)
    AND EXISTS (SELECT 1 FROM active_key a WHERE a.selector_id = OLD.id);
END;
CREATE TRIGGER dkim_selector_after_update AFTER UPDATE ON dkim_selector
WHEN NEW.revoked_at IS NOT OLD.revoked_at OR NEW.emptied_at IS NOT OLD.emptied_at OR NEW.published_at IS NOT OLD.published_at
BEGIN
  INSERT INTO selector_feed (domain_id) VALUES (NEW.domain_id);
END;
CREATE TRIGGER dkim_selector_after_delete AFTER DELETE ON dkim_selector
BEGIN
  INSERT INTO selector_feed (domain_id) VALUES (OLD.domain_id);
END;

CREATE VIEW active_key_check AS SELECT 0 AS domain_id, '' AS algorithm, 0 AS selector_id WHERE 0;
CREATE TRIGGER active_key_check_call INSTEAD OF INSERT ON active_key_check
BEGIN
  SELECT RAISE(ABORT, 'an active key is a live selector of that domain with a key of that algorithm')
  WHERE NOT EXISTS (
    SELECT 1 FROM dkim_selector s JOIN dkim_key k ON k.id = s.key_id
    WHERE s.id = NEW.selector_id AND s.domain_id = NEW.domain_id AND k.algorithm = NEW.algorithm
      AND s.revoked_at IS NULL AND s.emptied_at IS NULL);
END;
CREATE TRIGGER active_key_before_insert BEFORE INSERT ON active_key
BEGIN
  INSERT INTO active_key_check (domain_id, algorithm, selector_id) VALUES (NEW.domain_id, NEW.algorithm, NEW.selector_id);
END;
CREATE TRIGGER active_key_before_update BEFORE UPDATE ON active_key
BEGIN
  SELECT RAISE(ABORT, 'an active key stays with its domain') WHERE NEW.domain_id IS NOT OLD.domain_id;
  INSERT INTO active_key_check (domain_id, algorithm, selector_id) VALUES (NEW.domain_id, NEW.algorithm, NEW.selector_id);
END;
CREATE TRIGGER active_key_before_delete BEFORE DELETE ON active_key
BEGIN
  SELECT RAISE(ABORT, 'a verified domain does not lose its active key')
  WHERE NOT EXISTS (SELECT 1 FROM domain_moving m WHERE m.domain_id = OLD.domain_id)
    AND EXISTS (SELECT 1 FROM domain d WHERE d.id = OLD.domain_id AND d.state = 'verified')
    AND NOT EXISTS (
      SELECT 1 FROM active_key a WHERE a.domain_id = OLD.domain_id AND a.algorithm <> OLD.algorithm);
END;
