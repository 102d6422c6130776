-- What every writer's INSERT, UPDATE and DELETE brings about, and what is refused. MariaDB and MySQL.
--
-- All of it belongs to mailzone_definer, a locked account: a trigger whose definer was dropped fails every INSERT of the
-- application (error 1449). Messages are the same as those of SQLite. A trigger must not write the table that it fires
-- for, so what a move changes in the domain's own row is set in NEW.
--
-- Whatever a trigger reads, InnoDB reads with shared locks, as part of the writer's statement; under REPEATABLE READ also
-- the gap where nothing was found. So what a plain INSERT of a tenant reads is never where another one writes: two open
-- transactions that insert tenants do not wait for each other at any level.
DELIMITER //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE refuse (IN message VARCHAR(128) CHARACTER SET utf8mb4)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = message;
END //

-- The zones in whose serial a domain's records count.
CREATE DEFINER = 'mailzone_definer'@'localhost' SQL SECURITY DEFINER VIEW domain_zone AS
  SELECT d.id AS domain_id, z.id AS zone_id
  FROM domain d JOIN zone z ON z.platform_id = d.platform_id AND z.kind IN ('platform', 'key_target', 'return_path')
  WHERE z.kind = 'platform' OR d.kind = 'delegated' //
CREATE DEFINER = 'mailzone_definer'@'localhost' SQL SECURITY DEFINER VIEW departed_zone AS
  SELECT d.id AS departed_id, z.id AS zone_id
  FROM departed d JOIN zone z ON z.platform_id = d.platform_id AND z.kind IN ('platform', 'key_target', 'return_path')
  WHERE z.kind = 'platform' OR d.kind = 'delegated' //

-- A name of the platform's own (record, host, mail exchanger, zone) must not lie at or below a tenant's name.
CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE own_name_check (IN new_name VARCHAR(1004) CHARACTER SET ascii COLLATE ascii_bin)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  IF EXISTS (
    SELECT 1 FROM text_position p STRAIGHT_JOIN domain d ON d.name = substr(new_name, p.n)
    WHERE p.n <= length(new_name) AND (p.n = 1 OR substr(new_name, p.n - 1, 1) = '.') AND d.tenant_id IS NOT NULL) THEN
    CALL refuse('the name lies at or below the name of a tenant''s domain');
  END IF;
  IF EXISTS (
    SELECT 1 FROM text_position p STRAIGHT_JOIN departed d ON d.name = substr(new_name, p.n)
    WHERE p.n <= length(new_name) AND (p.n = 1 OR substr(new_name, p.n - 1, 1) = '.')
      AND d.tenant_id IS NOT NULL AND d.gone_at IS NULL) THEN
    CALL refuse('the name lies at or below a departed name that still answers');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE suffix_refresh (IN new_name VARCHAR(1004) CHARACTER SET ascii COLLATE ascii_bin,
  IN of_entity VARCHAR(14) CHARACTER SET ascii COLLATE ascii_bin, IN of_id BIGINT)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  DELETE FROM name_suffix WHERE entity = of_entity AND entity_id = of_id;
  INSERT INTO name_suffix (suffix, entity, entity_id)
  SELECT substr(new_name, p.n), of_entity, of_id FROM text_position p
  WHERE p.n <= length(new_name) AND (p.n = 1 OR substr(new_name, p.n - 1, 1) = '.');
END //

-- Platform ------------------------------------------------------------------------------------------------------------

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER platform_after_insert AFTER INSERT ON platform FOR EACH ROW
BEGIN
  INSERT INTO domain (platform_id, name, kind) VALUES (NEW.id, NEW.name, 'platform');
  INSERT INTO domain (platform_id, name, kind) VALUES (NEW.id, concat('sig.', NEW.name), 'common');
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER platform_before_update BEFORE UPDATE ON platform FOR EACH ROW
BEGIN
  IF NEW.name <> OLD.name OR NEW.id <> OLD.id THEN
    CALL refuse('a platform keeps its name and id');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER platform_after_update AFTER UPDATE ON platform FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER platform_before_delete BEFORE DELETE ON platform FOR EACH ROW
BEGIN
  CALL refuse('a platform cannot be deleted');
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER mail_exchanger_before_insert BEFORE INSERT ON mail_exchanger FOR EACH ROW
BEGIN
  CALL own_name_check(NEW.host_name);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER mail_exchanger_after_insert AFTER INSERT ON mail_exchanger FOR EACH ROW
BEGIN
  CALL suffix_refresh(NEW.host_name, 'mail_exchanger', NEW.id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.platform_id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER mail_exchanger_before_update BEFORE UPDATE ON mail_exchanger FOR EACH ROW
BEGIN
  IF NEW.platform_id <> OLD.platform_id OR NEW.id <> OLD.id THEN
    CALL refuse('a mail exchanger stays with its platform');
  END IF;
  CALL own_name_check(NEW.host_name);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER mail_exchanger_after_update AFTER UPDATE ON mail_exchanger FOR EACH ROW
BEGIN
  CALL suffix_refresh(NEW.host_name, 'mail_exchanger', NEW.id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.platform_id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER mail_exchanger_after_delete AFTER DELETE ON mail_exchanger FOR EACH ROW
BEGIN
  DELETE FROM name_suffix WHERE entity = 'mail_exchanger' AND entity_id = OLD.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', OLD.platform_id, NULL);
END //

-- Zones ---------------------------------------------------------------------------------------------------------------

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER zone_before_insert BEFORE INSERT ON zone FOR EACH ROW
BEGIN
  IF NEW.kind IN ('platform', 'key_target', 'return_path') AND NOT EXISTS (
    SELECT 1 FROM platform p WHERE p.id = NEW.platform_id
      AND NEW.name = concat(CASE NEW.kind WHEN 'key_target' THEN 'dkim.' WHEN 'return_path' THEN 'rp.' ELSE '' END, p.name))
  THEN
    CALL refuse('the zones of a platform are called NAME (platform), dkim.NAME (key_target) and rp.NAME (return_path)');
  END IF;
  IF NEW.kind <> 'hosted' THEN
    CALL own_name_check(NEW.name);
    IF EXISTS (
      SELECT 1 FROM name_suffix s JOIN domain d ON d.id = s.entity_id
      WHERE s.suffix = NEW.name AND s.entity = 'domain' AND d.tenant_id IS NOT NULL) THEN
      CALL refuse('a tenant''s domain lies below the name of this zone');
    END IF;
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER zone_after_insert AFTER INSERT ON zone FOR EACH ROW
BEGIN
  INSERT INTO zone_serial (zone_id) VALUES (NEW.id);
  IF NEW.kind <> 'hosted' THEN
    CALL suffix_refresh(NEW.name, 'zone', NEW.id);
  END IF;
  IF NEW.kind = 'platform' THEN
    UPDATE domain SET zone_id = NEW.id
    WHERE platform_id = NEW.platform_id AND kind IN ('subdomain', 'platform', 'common') AND zone_id IS NULL;
  END IF;
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone', NEW.id, NEW.id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER zone_before_update BEFORE UPDATE ON zone FOR EACH ROW
BEGIN
  IF NEW.name <> OLD.name OR NEW.kind <> OLD.kind OR NOT (NEW.platform_id <=> OLD.platform_id) OR NEW.id <> OLD.id THEN
    CALL refuse('a zone keeps its name, kind and platform');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER zone_after_update AFTER UPDATE ON zone FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone', NEW.id, NEW.id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER zone_after_delete AFTER DELETE ON zone FOR EACH ROW
BEGIN
  DELETE FROM zone_serial WHERE zone_id = OLD.id;
  DELETE FROM name_suffix WHERE entity = 'zone' AND entity_id = OLD.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone', OLD.id, OLD.id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER zone_metadata_after_insert AFTER INSERT ON zone_metadata FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone_metadata', NEW.id, NEW.zone_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER zone_metadata_after_update AFTER UPDATE ON zone_metadata FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone_metadata', NEW.id, NEW.zone_id);
  IF NEW.zone_id <> OLD.zone_id THEN
    INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone_metadata', OLD.id, OLD.zone_id);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER zone_metadata_after_delete AFTER DELETE ON zone_metadata FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('zone_metadata', OLD.id, OLD.zone_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE static_record_check (IN of_id BIGINT, IN of_zone INT,
  IN new_owner VARCHAR(1004) CHARACTER SET ascii COLLATE ascii_bin,
  IN new_type VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  DECLARE zone_name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin;
  DECLARE zone_kind VARCHAR(12) CHARACTER SET ascii COLLATE ascii_bin;
  SELECT max(z.name), max(z.kind) INTO zone_name, zone_kind FROM zone z WHERE z.id = of_zone;
  IF new_owner <> zone_name AND right(new_owner, length(zone_name) + 1) <> concat('.', zone_name) THEN
    CALL refuse('the owner of a static record lies at or below the name of its zone');
  END IF;
  IF new_type = 'CNAME' AND new_owner = zone_name THEN
    CALL refuse('a CNAME cannot stand at the apex of a zone');
  END IF;
  IF EXISTS (
    SELECT 1 FROM static_record r WHERE r.owner = new_owner AND r.zone_id = of_zone AND r.id <> of_id
      AND (r.type = 'CNAME' OR new_type = 'CNAME')) THEN
    CALL refuse('a CNAME stands alone at its owner');
  END IF;
  IF zone_kind <> 'hosted' THEN
    CALL own_name_check(new_owner);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER static_record_before_insert BEFORE INSERT ON static_record FOR EACH ROW
BEGIN
  CALL static_record_check(NEW.id, NEW.zone_id, NEW.owner, NEW.type);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER static_record_after_insert AFTER INSERT ON static_record FOR EACH ROW
BEGIN
  CALL suffix_refresh(NEW.owner, 'static_record', NEW.id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('static_record', NEW.id, NEW.zone_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER static_record_before_update BEFORE UPDATE ON static_record FOR EACH ROW
BEGIN
  IF NEW.id <> OLD.id THEN
    CALL refuse('a static record keeps its id');
  END IF;
  CALL static_record_check(NEW.id, NEW.zone_id, NEW.owner, NEW.type);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER static_record_after_update AFTER UPDATE ON static_record FOR EACH ROW
BEGIN
  CALL suffix_refresh(NEW.owner, 'static_record', NEW.id);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('static_record', NEW.id, NEW.zone_id);
  IF NEW.zone_id <> OLD.zone_id THEN
    INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('static_record', OLD.id, OLD.zone_id);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER static_record_after_delete AFTER DELETE ON static_record FOR EACH ROW
BEGIN
  DELETE FROM name_suffix WHERE entity = 'static_record' AND entity_id = OLD.id;
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('static_record', OLD.id, OLD.zone_id);
END //

-- Pools, addresses, relays, streams -----------------------------------------------------------------------------------

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_pool_after_insert AFTER INSERT ON ip_pool FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', NEW.id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_pool_before_update BEFORE UPDATE ON ip_pool FOR EACH ROW
BEGIN
  IF NEW.platform_id <> OLD.platform_id OR NEW.id <> OLD.id THEN
    CALL refuse('a pool stays with its platform');
  END IF;
  IF NEW.purpose <> 'sending' AND EXISTS (SELECT 1 FROM stream s WHERE s.pool_id = NEW.id) THEN
    CALL refuse('a stream leaves by a pool whose purpose is sending');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_pool_after_update AFTER UPDATE ON ip_pool FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', NEW.id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_pool_after_delete AFTER DELETE ON ip_pool FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', OLD.id, NULL);
END //

-- A host's name is an envelope domain of the platform's own mail (bounces), so it must be no other domain's.
CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE host_check (IN new_host VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  CALL own_name_check(new_host);
  IF EXISTS (SELECT 1 FROM domain d WHERE d.name = new_host AND d.kind = 'common')
     OR EXISTS (SELECT 1 FROM platform p WHERE new_host = concat('srs.', p.name))
     OR EXISTS (SELECT 1 FROM zone z WHERE z.name = new_host AND z.kind <> 'platform') THEN
    CALL refuse('the common signing domain, srs.PLATFORM and the zones below the platform are no host names');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE host_refresh (IN of_host VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  DELETE FROM envelope_domain
  WHERE name = of_host AND NOT EXISTS (SELECT 1 FROM domain d WHERE d.name = of_host)
    AND NOT EXISTS (SELECT 1 FROM ip_address a WHERE a.host_name = of_host);
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT of_host, min(d.id), of_host
  FROM ip_address a JOIN ip_pool p ON p.id = a.pool_id JOIN domain d ON d.platform_id = p.platform_id AND d.kind = 'platform'
  WHERE a.host_name = of_host AND NOT EXISTS (SELECT 1 FROM envelope_domain e WHERE e.name = of_host)
  HAVING count(*) > 0;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_address_before_insert BEFORE INSERT ON ip_address FOR EACH ROW
BEGIN
  CALL host_check(NEW.host_name);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_address_after_insert AFTER INSERT ON ip_address FOR EACH ROW
BEGIN
  CALL suffix_refresh(NEW.host_name, 'ip_address', NEW.id);
  CALL host_refresh(NEW.host_name);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', NEW.pool_id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_address_before_update BEFORE UPDATE ON ip_address FOR EACH ROW
BEGIN
  IF NEW.id <> OLD.id THEN
    CALL refuse('an address keeps its id');
  END IF;
  CALL host_check(NEW.host_name);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_address_after_update AFTER UPDATE ON ip_address FOR EACH ROW
BEGIN
  CALL suffix_refresh(NEW.host_name, 'ip_address', NEW.id);
  CALL host_refresh(OLD.host_name);
  CALL host_refresh(NEW.host_name);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', NEW.pool_id, NULL);
  IF NEW.pool_id <> OLD.pool_id THEN
    INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', OLD.pool_id, NULL);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER ip_address_after_delete AFTER DELETE ON ip_address FOR EACH ROW
BEGIN
  DELETE FROM name_suffix WHERE entity = 'ip_address' AND entity_id = OLD.id;
  CALL host_refresh(OLD.host_name);
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('pool', OLD.pool_id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER relay_after_insert AFTER INSERT ON relay FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.platform_id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER relay_before_update BEFORE UPDATE ON relay FOR EACH ROW
BEGIN
  IF NEW.platform_id <> OLD.platform_id OR NEW.id <> OLD.id THEN
    CALL refuse('a relay stays with its platform');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER relay_after_update AFTER UPDATE ON relay FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', NEW.platform_id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER relay_after_delete AFTER DELETE ON relay FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', OLD.platform_id, NULL);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE stream_check (IN of_platform BIGINT, IN of_domain BIGINT, IN of_pool BIGINT, IN of_relay BIGINT)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  DECLARE own_platform BIGINT DEFAULT coalesce(of_platform, (SELECT d.platform_id FROM domain d WHERE d.id = of_domain));
  IF EXISTS (SELECT 1 FROM ip_pool p WHERE p.id = of_pool AND p.platform_id <> own_platform)
     OR EXISTS (SELECT 1 FROM relay r WHERE r.id = of_relay AND r.platform_id <> own_platform) THEN
    CALL refuse('a stream leaves by a pool or relay of its own platform');
  END IF;
  IF EXISTS (SELECT 1 FROM ip_pool p WHERE p.id = of_pool AND p.purpose <> 'sending') THEN
    CALL refuse('a stream leaves by a pool whose purpose is sending');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE stream_feed (IN of_platform BIGINT, IN of_domain BIGINT)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  IF of_platform IS NOT NULL THEN
    INSERT INTO feed_inbox (entity, entity_id, zone_id) VALUES ('platform', of_platform, NULL);
  END IF;
  IF of_domain IS NOT NULL THEN
    CALL domain_feed(of_domain);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE domain_feed (IN of_domain BIGINT)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', domain_id, zone_id FROM domain_zone WHERE domain_id = of_domain;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'domain', d.id, d.zone_id FROM domain d WHERE d.id = of_domain AND d.kind = 'hosted' AND d.zone_id IS NOT NULL;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER stream_before_insert BEFORE INSERT ON stream FOR EACH ROW
BEGIN
  CALL stream_check(NEW.platform_id, NEW.domain_id, NEW.pool_id, NEW.relay_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER stream_after_insert AFTER INSERT ON stream FOR EACH ROW
BEGIN
  CALL stream_feed(NEW.platform_id, NEW.domain_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER stream_before_update BEFORE UPDATE ON stream FOR EACH ROW
BEGIN
  CALL stream_check(NEW.platform_id, NEW.domain_id, NEW.pool_id, NEW.relay_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER stream_after_update AFTER UPDATE ON stream FOR EACH ROW
BEGIN
  CALL stream_feed(OLD.platform_id, OLD.domain_id);
  IF NOT (NEW.platform_id <=> OLD.platform_id AND NEW.domain_id <=> OLD.domain_id) THEN
    CALL stream_feed(NEW.platform_id, NEW.domain_id);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER stream_after_delete AFTER DELETE ON stream FOR EACH ROW
BEGIN
  CALL stream_feed(OLD.platform_id, OLD.domain_id);
END //

-- Tenants -------------------------------------------------------------------------------------------------------------

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER tenant_before_insert BEFORE INSERT ON tenant FOR EACH ROW
BEGIN
  IF EXISTS (SELECT 1 FROM reserved_slug r WHERE r.slug = NEW.slug) THEN
    CALL refuse('the slug is reserved');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER tenant_after_insert AFTER INSERT ON tenant FOR EACH ROW
BEGIN
  INSERT INTO domain (platform_id, tenant_id, name, kind, zone_id)
  SELECT p.id, NEW.id, concat(NEW.slug, '.', p.name), 'subdomain', z.id
  FROM platform p LEFT JOIN zone z ON z.platform_id = p.id AND z.kind = 'platform' WHERE p.id = NEW.platform_id;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER tenant_before_update BEFORE UPDATE ON tenant FOR EACH ROW
BEGIN
  IF NEW.platform_id <> OLD.platform_id OR NEW.id <> OLD.id THEN
    CALL refuse('a tenant stays with its platform');
  END IF;
  IF NEW.slug <> OLD.slug AND EXISTS (SELECT 1 FROM reserved_slug r WHERE r.slug = NEW.slug) THEN
    CALL refuse('the slug is reserved');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER tenant_after_update AFTER UPDATE ON tenant FOR EACH ROW
BEGIN
  IF NEW.slug <> OLD.slug THEN
    UPDATE domain SET name = concat(NEW.slug, '.', (SELECT p.name FROM platform p WHERE p.id = NEW.platform_id))
    WHERE tenant_id = NEW.id AND kind = 'subdomain';
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER tenant_before_delete BEFORE DELETE ON tenant FOR EACH ROW
BEGIN
  DELETE FROM login WHERE tenant_id = OLD.id;
  DELETE FROM domain WHERE tenant_id = OLD.id;
END //

-- Domains -------------------------------------------------------------------------------------------------------------

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE domain_check (IN of_id BIGINT, IN of_platform BIGINT, IN of_tenant BIGINT,
  IN new_name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin,
  IN of_kind VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  IF of_tenant IS NOT NULL
     AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = of_tenant AND t.platform_id = of_platform) THEN
    CALL refuse('the domain''s tenant does not exist on this platform');
  END IF;
  IF of_kind = 'subdomain' AND NOT EXISTS (
    SELECT 1 FROM tenant t JOIN platform p ON p.id = t.platform_id
    WHERE t.id = of_tenant AND new_name = concat(t.slug, '.', p.name)) THEN
    CALL refuse('a subdomain is called SLUG.PLATFORM');
  END IF;
  IF of_kind IN ('platform', 'common') AND NOT EXISTS (
    SELECT 1 FROM platform p
    WHERE p.id = of_platform AND new_name = concat(CASE of_kind WHEN 'common' THEN 'sig.' ELSE '' END, p.name)) THEN
    CALL refuse('the platform''s own domain has its name, and the common signing domain is sig.PLATFORM');
  END IF;
  IF of_kind IN ('delegated', 'hosted', 'platform') THEN
    INSERT INTO name_guard (suffix) VALUES (substring_index(new_name, '.', -2))
    ON DUPLICATE KEY UPDATE touched = touched + 1;
    -- At or below another's name.
    IF EXISTS (
      SELECT 1 FROM text_position p STRAIGHT_JOIN domain d ON d.name = substr(new_name, p.n)
      WHERE p.n <= length(new_name) AND (p.n = 1 OR substr(new_name, p.n - 1, 1) = '.')
        AND d.id <> of_id AND NOT (d.tenant_id <=> of_tenant))
      OR (of_tenant IS NOT NULL AND EXISTS (
      SELECT 1 FROM text_position p STRAIGHT_JOIN zone z ON z.name = substr(new_name, p.n)
      WHERE p.n <= length(new_name) AND (p.n = 1 OR substr(new_name, p.n - 1, 1) = '.') AND z.kind <> 'hosted')) THEN
      CALL refuse('the name is equal to or below a name of another tenant or of the platform');
    END IF;
    -- Above another's name.
    IF EXISTS (
      SELECT 1 FROM name_suffix s JOIN domain d ON d.id = s.entity_id
      WHERE s.suffix = new_name AND s.entity = 'domain' AND d.id <> of_id AND NOT (d.tenant_id <=> of_tenant)) THEN
      CALL refuse('the name is above a name of another tenant or of the platform');
    END IF;
  END IF;
  IF of_tenant IS NOT NULL AND EXISTS (
    SELECT 1 FROM name_suffix s
    WHERE s.suffix = new_name AND s.entity IN ('zone', 'static_record', 'ip_address', 'mail_exchanger')) THEN
    CALL refuse('a record, host or zone of the platform has this name or lies below it');
  END IF;
  IF new_name LIKE 'bounce.%' AND EXISTS (
    SELECT 1 FROM domain d WHERE d.name = substr(new_name, 8) AND d.bounce_verified_at IS NOT NULL AND d.id <> of_id) THEN
    CALL refuse('another domain''s bounces come to this name');
  END IF;
  -- What departed goes to nobody else; as long as it answers, neither does what is above or below it.
  IF EXISTS (SELECT 1 FROM departed d WHERE d.name = new_name AND NOT (d.tenant_id <=> of_tenant)) THEN
    CALL refuse('the name departed from another tenant: it goes to nobody else');
  END IF;
  IF of_kind IN ('delegated', 'hosted') AND (
    EXISTS (
      SELECT 1 FROM text_position p STRAIGHT_JOIN departed d ON d.name = substr(new_name, p.n)
      WHERE p.n <= length(new_name) AND (p.n = 1 OR substr(new_name, p.n - 1, 1) = '.')
        AND d.gone_at IS NULL AND NOT (d.tenant_id <=> of_tenant))
    OR EXISTS (
      SELECT 1 FROM name_suffix s JOIN departed d ON d.id = s.entity_id
      WHERE s.suffix = new_name AND s.entity = 'departed' AND d.gone_at IS NULL AND NOT (d.tenant_id <=> of_tenant))) THEN
    CALL refuse('the name is above or below a departed name of another tenant that still answers');
  END IF;
END //

-- The envelope domains of a tenant's domain, from its row.
CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE envelope_refresh (IN of_domain BIGINT)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  DELETE FROM envelope_domain
  WHERE domain_id = of_domain
    AND NOT EXISTS (SELECT 1 FROM domain d WHERE d.id = of_domain AND d.kind IN ('platform', 'common'));
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT d.name, d.id, d.name FROM domain d
  WHERE d.id = of_domain AND (d.kind = 'subdomain' OR d.kind IN ('delegated', 'hosted') AND d.state <> 'unverified');
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT concat(d.token, '.rp.', p.name), d.id, d.name FROM domain d JOIN platform p ON p.id = d.platform_id
  WHERE d.id = of_domain AND d.kind = 'delegated' AND d.state <> 'unverified';
  INSERT INTO envelope_domain (name, domain_id, author)
  SELECT concat('bounce.', d.name), d.id, d.name FROM domain d
  WHERE d.id = of_domain AND d.kind = 'delegated' AND d.state <> 'unverified' AND d.bounce_verified_at IS NOT NULL;
END //

-- What a domain leaves behind when its row goes, or goes on under another name or owner.
CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE domain_depart (IN of_domain BIGINT, IN of_platform BIGINT, IN of_tenant BIGINT,
  IN old_name VARCHAR(253) CHARACTER SET ascii COLLATE ascii_bin,
  IN of_kind VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin, IN old_token CHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
  IN old_state VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin,
  IN old_policy VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin, IN old_rua VARCHAR(2000) CHARACTER SET utf8mb4)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  INSERT INTO domain_moving (domain_id) VALUES (of_domain);
  IF of_kind <> 'delegated' OR EXISTS (SELECT 1 FROM dkim_selector s WHERE s.domain_id = of_domain) THEN
    INSERT INTO departed (platform_id, tenant_id, domain_id, name, kind, token, was_verified, dmarc_policy, dmarc_rua,
                          mz1_key_id, mz2_key_id)
    VALUES (of_platform, of_tenant, of_domain, old_name, of_kind, old_token, old_state <> 'unverified', old_policy, old_rua,
            (SELECT s.key_id FROM dkim_selector s WHERE s.domain_id = of_domain AND s.live_slot = 'mz1' AND s.revoked_at IS NULL),
            (SELECT s.key_id FROM dkim_selector s WHERE s.domain_id = of_domain AND s.live_slot = 'mz2' AND s.revoked_at IS NULL));
  END IF;
  DELETE FROM active_key WHERE domain_id = of_domain;
  DELETE FROM dkim_selector WHERE domain_id = of_domain;
  DELETE FROM domain_moving WHERE domain_id = of_domain;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER domain_before_insert BEFORE INSERT ON domain FOR EACH ROW
BEGIN
  IF NEW.state <> 'unverified' THEN
    CALL refuse('a domain is not verified without an active key');
  END IF;
  IF EXISTS (SELECT 1 FROM departed d WHERE d.token = NEW.token) THEN
    CALL refuse('a token is never used again');
  END IF;
  CALL domain_check(NEW.id, NEW.platform_id, NEW.tenant_id, NEW.name, NEW.kind);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER domain_after_insert AFTER INSERT ON domain FOR EACH ROW
BEGIN
  IF NEW.kind IN ('delegated', 'hosted', 'platform') THEN
    CALL suffix_refresh(NEW.name, 'domain', NEW.id);
  END IF;
  IF NEW.kind = 'platform' THEN
    INSERT INTO envelope_domain (name, domain_id, author) VALUES (NEW.name, NEW.id, NEW.name);
  ELSEIF NEW.kind = 'common' THEN
    INSERT INTO envelope_domain (name, domain_id, author)
    SELECT 'common', NEW.id, NEW.name FROM platform p
    WHERE p.id = NEW.platform_id AND NOT EXISTS (SELECT 1 FROM envelope_domain e WHERE e.name = 'common');
  ELSEIF NEW.kind = 'subdomain' THEN
    INSERT INTO envelope_domain (name, domain_id, author) VALUES (NEW.name, NEW.id, NEW.name);
  END IF;
  CALL domain_feed(NEW.id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER domain_before_update BEFORE UPDATE ON domain FOR EACH ROW
BEGIN
  IF NEW.id <> OLD.id OR NEW.kind <> OLD.kind OR NEW.platform_id <> OLD.platform_id THEN
    CALL refuse('a domain keeps its id, kind and platform');
  END IF;
  IF NEW.token <> OLD.token THEN
    CALL refuse('a token changes only with the name or the owner');
  END IF;
  IF NEW.state = 'verified' AND OLD.state <> 'verified'
     AND NOT EXISTS (SELECT 1 FROM active_key a WHERE a.domain_id = NEW.id) THEN
    CALL refuse('a domain is not verified without an active key');
  END IF;
  IF NEW.state = 'degraded' AND OLD.state = 'unverified' THEN
    CALL refuse('only a verified domain becomes degraded');
  END IF;
  IF NEW.bounce_verified_at IS NOT NULL AND OLD.bounce_verified_at IS NULL
     AND EXISTS (SELECT 1 FROM domain d WHERE d.name = concat('bounce.', NEW.name)) THEN
    CALL refuse('another domain has the name bounce.NAME');
  END IF;
  IF NEW.name <> OLD.name OR NOT (NEW.tenant_id <=> OLD.tenant_id) THEN
    CALL domain_check(NEW.id, NEW.platform_id, NEW.tenant_id, NEW.name, NEW.kind);
    CALL domain_depart(OLD.id, OLD.platform_id, OLD.tenant_id, OLD.name, OLD.kind, OLD.token, OLD.state,
                       OLD.dmarc_policy, OLD.dmarc_rua);
    IF NOT (NEW.tenant_id <=> OLD.tenant_id) THEN
      DELETE FROM login_domain WHERE domain_id = OLD.id;
    END IF;
    SET NEW.token = lower(hex(random_bytes(16))), NEW.state = 'unverified', NEW.verified_at = NULL,
        NEW.bounce_verified_at = NULL;
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER domain_after_update AFTER UPDATE ON domain FOR EACH ROW
BEGIN
  IF NEW.name <> OLD.name THEN
    IF NEW.kind IN ('delegated', 'hosted', 'platform') THEN
      CALL suffix_refresh(NEW.name, 'domain', NEW.id);
    END IF;
  END IF;
  IF NEW.token <> OLD.token OR NEW.state <> OLD.state OR NOT (NEW.bounce_verified_at <=> OLD.bounce_verified_at) THEN
    CALL envelope_refresh(NEW.id);
  END IF;
  IF NEW.token <> OLD.token OR NEW.state <> OLD.state OR NOT (
       NEW.bounce_verified_at <=> OLD.bounce_verified_at AND NEW.zone_id <=> OLD.zone_id
       AND NEW.dmarc_policy <=> OLD.dmarc_policy AND NEW.dmarc_rua <=> OLD.dmarc_rua) THEN
    CALL domain_feed(NEW.id);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER domain_before_delete BEFORE DELETE ON domain FOR EACH ROW
BEGIN
  IF OLD.kind IN ('platform', 'common') THEN
    CALL refuse('the platform''s own domain and the common signing domain cannot be deleted');
  END IF;
  CALL domain_feed(OLD.id);
  CALL domain_depart(OLD.id, OLD.platform_id, OLD.tenant_id, OLD.name, OLD.kind, OLD.token, OLD.state,
                     OLD.dmarc_policy, OLD.dmarc_rua);
  DELETE FROM stream WHERE domain_id = OLD.id;
  DELETE FROM login_domain WHERE domain_id = OLD.id;
  DELETE FROM envelope_domain WHERE domain_id = OLD.id;
  DELETE FROM name_suffix WHERE entity = 'domain' AND entity_id = OLD.id;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER departed_after_insert AFTER INSERT ON departed FOR EACH ROW
BEGIN
  IF NEW.kind IN ('delegated', 'hosted') THEN
    CALL suffix_refresh(NEW.name, 'departed', NEW.id);
  END IF;
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'departed', departed_id, zone_id FROM departed_zone WHERE departed_id = NEW.id;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER departed_before_update BEFORE UPDATE ON departed FOR EACH ROW
BEGIN
  IF NEW.id <> OLD.id OR NEW.name <> OLD.name OR NEW.token <> OLD.token OR NEW.kind <> OLD.kind
     OR NOT (NEW.tenant_id <=> OLD.tenant_id) OR NEW.platform_id <> OLD.platform_id THEN
    CALL refuse('a departed row keeps its name, token and owner');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER departed_after_update AFTER UPDATE ON departed FOR EACH ROW
BEGIN
  INSERT INTO feed_inbox (entity, entity_id, zone_id)
  SELECT 'departed', departed_id, zone_id FROM departed_zone WHERE departed_id = NEW.id;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER departed_before_delete BEFORE DELETE ON departed FOR EACH ROW
BEGIN
  CALL refuse('a departed row stays, so that its name goes to nobody else');
END //

-- Logins --------------------------------------------------------------------------------------------------------------

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER login_before_update BEFORE UPDATE ON login FOR EACH ROW
BEGIN
  IF NEW.tenant_id <> OLD.tenant_id OR NEW.id <> OLD.id THEN
    CALL refuse('a login stays with its tenant');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER login_before_delete BEFORE DELETE ON login FOR EACH ROW
BEGIN
  DELETE FROM login_domain WHERE login_id = OLD.id;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE login_domain_check (IN of_login BIGINT, IN of_domain BIGINT)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  IF EXISTS (
    SELECT 1 FROM login l JOIN domain d ON d.id = of_domain
    WHERE l.id = of_login AND NOT (d.tenant_id <=> l.tenant_id)) THEN
    CALL refuse('a login submits for domains of its own tenant');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER login_domain_before_insert BEFORE INSERT ON login_domain FOR EACH ROW
BEGIN
  CALL login_domain_check(NEW.login_id, NEW.domain_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER login_domain_before_update BEFORE UPDATE ON login_domain FOR EACH ROW
BEGIN
  CALL login_domain_check(NEW.login_id, NEW.domain_id);
END //

-- Keys ----------------------------------------------------------------------------------------------------------------

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER dkim_key_after_update AFTER UPDATE ON dkim_key FOR EACH ROW
BEGIN
  IF NEW.algorithm <> OLD.algorithm OR NEW.public_key <> OLD.public_key THEN
    INSERT INTO feed_inbox (entity, entity_id, zone_id)
    SELECT 'domain', z.domain_id, z.zone_id FROM dkim_selector s JOIN domain_zone z ON z.domain_id = s.domain_id
    WHERE s.key_id = NEW.id;
    INSERT INTO feed_inbox (entity, entity_id, zone_id)
    SELECT 'departed', z.departed_id, z.zone_id FROM departed d JOIN departed_zone z ON z.departed_id = d.id
    WHERE d.gone_at IS NULL AND NEW.id IN (d.mz1_key_id, d.mz2_key_id);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER dkim_selector_before_insert BEFORE INSERT ON dkim_selector FOR EACH ROW
BEGIN
  IF EXISTS (
    SELECT 1 FROM domain d JOIN departed x ON x.name = d.name AND x.gone_at IS NULL AND x.token <> d.token
    WHERE d.id = NEW.domain_id
      AND (NEW.slot = 'mz1' AND x.mz1_key_id IS NOT NULL OR NEW.slot = 'mz2' AND x.mz2_key_id IS NOT NULL)
      AND d.kind <> 'delegated') THEN
    CALL refuse('the slot still answers for a departed name');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER dkim_selector_after_insert AFTER INSERT ON dkim_selector FOR EACH ROW
BEGIN
  CALL domain_feed(NEW.domain_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER dkim_selector_before_update BEFORE UPDATE ON dkim_selector FOR EACH ROW
BEGIN
  IF NEW.id <> OLD.id OR NEW.domain_id <> OLD.domain_id OR NEW.slot <> OLD.slot OR NEW.key_id <> OLD.key_id THEN
    CALL refuse('a selector keeps its domain, slot and key');
  END IF;
  IF (NEW.revoked_at IS NOT NULL OR NEW.emptied_at IS NOT NULL)
     AND EXISTS (SELECT 1 FROM active_key a WHERE a.selector_id = OLD.id) THEN
    CALL refuse('the domain signs with this key: activate another first');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER dkim_selector_after_update AFTER UPDATE ON dkim_selector FOR EACH ROW
BEGIN
  IF NOT (NEW.revoked_at <=> OLD.revoked_at AND NEW.emptied_at <=> OLD.emptied_at
          AND NEW.published_at <=> OLD.published_at) THEN
    CALL domain_feed(NEW.domain_id);
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER dkim_selector_after_delete AFTER DELETE ON dkim_selector FOR EACH ROW
BEGIN
  CALL domain_feed(OLD.domain_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE active_key_check (IN of_domain BIGINT, IN of_algorithm VARCHAR(10) CHARACTER SET ascii COLLATE ascii_bin, IN of_selector BIGINT)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM dkim_selector s JOIN dkim_key k ON k.id = s.key_id
    WHERE s.id = of_selector AND s.domain_id = of_domain AND k.algorithm = of_algorithm
      AND s.revoked_at IS NULL AND s.emptied_at IS NULL) THEN
    CALL refuse('an active key is a live selector of that domain with a key of that algorithm');
  END IF;
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER active_key_before_insert BEFORE INSERT ON active_key FOR EACH ROW
BEGIN
  CALL active_key_check(NEW.domain_id, NEW.algorithm, NEW.selector_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER active_key_before_update BEFORE UPDATE ON active_key FOR EACH ROW
BEGIN
  IF NEW.domain_id <> OLD.domain_id THEN
    CALL refuse('an active key stays with its domain');
  END IF;
  CALL active_key_check(NEW.domain_id, NEW.algorithm, NEW.selector_id);
END //

CREATE DEFINER = 'mailzone_definer'@'localhost' TRIGGER active_key_before_delete BEFORE DELETE ON active_key FOR EACH ROW
BEGIN
  IF NOT EXISTS (SELECT 1 FROM domain_moving m WHERE m.domain_id = OLD.domain_id)
     AND EXISTS (SELECT 1 FROM domain d WHERE d.id = OLD.domain_id AND d.state = 'verified')
     AND NOT EXISTS (SELECT 1 FROM active_key a WHERE a.domain_id = OLD.domain_id AND a.algorithm <> OLD.algorithm) THEN
    CALL refuse('a verified domain does not lose its active key');
  END IF;
END //

-- The feed -------------------------------------------------------------------------------------------------------------
-- Gives committed inbox rows the next numbers (docs/sql-contract.md, "The feed"). Anyone may call it, at any time, outside
-- a transaction. Rows that commit later, whatever their ids, wait in the inbox for the next call.
CREATE DEFINER = 'mailzone_definer'@'localhost' PROCEDURE feed_advance (IN max_rows BIGINT)
SQL SECURITY DEFINER MODIFIES SQL DATA
BEGIN
  DECLARE head BIGINT;
  DECLARE moved BIGINT DEFAULT 0;
  DECLARE waiting BIGINT;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION
  BEGIN
    ROLLBACK;
    RESIGNAL;
  END;
  -- Most calls find nothing: look before locking. By SELECT ... INTO: the same in IF EXISTS (...) would be a locking read
  -- and wait for the writer of the first row.
  SELECT max(id) INTO waiting FROM feed_inbox;
  IF waiting IS NOT NULL THEN
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    START TRANSACTION;
    SELECT seq INTO head FROM feed_head WHERE one = 1 FOR UPDATE;
    INSERT INTO change_log (seq, entity, entity_id, zone_id, inbox_id)
    SELECT head + row_number() OVER (ORDER BY batch.id), batch.entity, batch.entity_id, batch.zone_id, batch.id
    FROM (SELECT id, entity, entity_id, zone_id FROM feed_inbox ORDER BY id LIMIT max_rows) batch;
    SET moved = row_count();
    IF moved > 0 THEN
      -- By a join on the primary key: DELETE ... WHERE id IN (SELECT ...) would wait on writers' gap locks.
      DELETE feed_inbox FROM change_log STRAIGHT_JOIN feed_inbox ON feed_inbox.id = change_log.inbox_id
      WHERE change_log.seq > head;
      -- Modulo 2^32 (RFC 1982): an imported zone may have any serial, and one at the end must not stop the feed.
      UPDATE zone_serial JOIN (SELECT DISTINCT zone_id FROM change_log WHERE seq > head) changed
        ON changed.zone_id = zone_serial.zone_id OR changed.zone_id IS NULL
      SET zone_serial.serial = greatest((zone_serial.serial + 1) % 4294967296, head + moved);
      UPDATE feed_head SET seq = head + moved WHERE one = 1;
    END IF;
    COMMIT;
  END IF;
END //
DELIMITER ;
