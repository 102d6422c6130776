-- What any writer may do, after the seed of tests/support/engines.cc: each statement is accepted by both engines, in this
-- order. The comment above each says what it shows.

-- a tenant needs platform and slug only
INSERT INTO tenant (id, platform_id, slug) VALUES (3, 1, 't3');

-- a slug of 63 octets
INSERT INTO tenant (platform_id, slug) VALUES (1, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');

-- a slug of digits
INSERT INTO tenant (platform_id, slug) VALUES (1, '42');

-- an A-label
INSERT INTO tenant (platform_id, slug, external_id) VALUES (1, 'xn--caf-dma', 'Kunde 7');

-- a reserved word as a part of a slug
INSERT INTO tenant (platform_id, slug) VALUES (1, 'sig-shop');

-- a custom domain
INSERT INTO domain (id, platform_id, tenant_id, name, kind) VALUES (20, 1, 1, 'brand.example', 'delegated');

-- two domains of one tenant may nest
INSERT INTO domain (id, platform_id, tenant_id, name, kind) VALUES (21, 1, 1, 'mail.brand.example', 'delegated');

-- another tenant's name beside it
INSERT INTO domain (id, platform_id, tenant_id, name, kind) VALUES (22, 1, 2, 'brand-two.example', 'delegated');

-- a name that only ends in the same letters
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'otherbrand.example', 'delegated');

-- a deep name: nobody else has what is above it
INSERT INTO domain (id, platform_id, tenant_id, name, kind) VALUES (24, 1, 1, 'a.b.third.example', 'delegated');

-- keys: spares of the pool
INSERT INTO dkim_key (id, algorithm, bits, public_key, fingerprint, generated_at) VALUES (1, 'rsa', 2048, 'MIIBIjAN', '1111111111111111111111111111111111111111111111111111111111111111', '2026-01-01 00:00:00.000000'), (2, 'rsa', 2048, 'MIIBIjAN', '2222222222222222222222222222222222222222222222222222222222222222', '2026-01-01 00:00:00.000000'), (3, 'rsa', 2048, 'MIIBIjAN', '3333333333333333333333333333333333333333333333333333333333333333', '2026-01-01 00:00:00.000000'), (4, 'rsa', 2048, 'MIIBIjAN', '4444444444444444444444444444444444444444444444444444444444444444', '2026-01-01 00:00:00.000000'), (5, 'ed25519', 256, 'MIIBIjAN', '5555555555555555555555555555555555555555555555555555555555555555', '2026-01-01 00:00:00.000000'), (6, 'rsa', 2048, 'MIIBIjAN', '6666666666666666666666666666666666666666666666666666666666666666', '2026-01-01 00:00:00.000000'), (7, 'rsa', 2048, 'MIIBIjAN', '7777777777777777777777777777777777777777777777777777777777777777', '2026-01-01 00:00:00.000000'), (8, 'rsa', 2048, 'MIIBIjAN', '8888888888888888888888888888888888888888888888888888888888888888', '2026-01-01 00:00:00.000000'), (9, 'rsa', 2048, 'MIIBIjAN', '9999999999999999999999999999999999999999999999999999999999999999', '2026-01-01 00:00:00.000000');

-- a key in each slot
INSERT INTO dkim_selector (id, domain_id, slot, key_id) VALUES (1, 20, 'mz1', 1), (2, 20, 'mz2', 2), (3, 21, 'mz1', 3), (4, 22, 'mz1', 4);

-- the active one
INSERT INTO active_key (domain_id, algorithm, selector_id) VALUES (20, 'rsa', 1);

-- switching keys is one UPDATE
UPDATE active_key SET selector_id = 2 WHERE domain_id = 20 AND algorithm = 'rsa';

-- and back
UPDATE active_key SET selector_id = 1 WHERE domain_id = 20 AND algorithm = 'rsa';

-- with an active key it is verified
UPDATE domain SET state = 'verified', verified_at = '2026-01-02 00:00:00.000000', bounce_verified_at = '2026-01-02 00:00:00.000000' WHERE id = 20;

-- a verified domain becomes degraded
UPDATE domain SET state = 'degraded' WHERE id = 20;

-- and is restored
UPDATE domain SET state = 'verified' WHERE id = 20;

-- the standby is revoked
UPDATE dkim_selector SET revoked_at = '2026-01-03 00:00:00.000000' WHERE id = 2;

-- a domain may choose the common signature and a policy
UPDATE domain SET signing = 'common', dmarc_policy = 'reject', dmarc_rua = 'mailto:d@brand-two.example' WHERE id = 22;

-- a login of a tenant for its domains
INSERT INTO login (id, tenant_id, name, password_hash) VALUES (1, 1, 'owner@t1', '{SHA512-CRYPT}$6$x$y'), (2, 2, 'owner@t2', '{SHA512-CRYPT}$6$x$y');

-- for both
INSERT INTO login_domain (login_id, domain_id) VALUES (1, 20), (1, 21), (2, 22);

-- a tenant that comes and goes
INSERT INTO tenant (id, platform_id, slug) VALUES (9, 1, 'gone');

-- and goes
DELETE FROM tenant WHERE id = 9;

-- a tenant is renamed
UPDATE tenant SET slug = 'renamed' WHERE id = 3;

-- and takes its own old name back
UPDATE tenant SET slug = 't3' WHERE id = 3;

-- a custom domain with a key that leaves
INSERT INTO domain (id, platform_id, tenant_id, name, kind, token) VALUES (30, 1, 2, 'shop.left.example', 'delegated', '0123456789abcdef0123456789abcdef');

-- its key
INSERT INTO dkim_selector (id, domain_id, slot, key_id) VALUES (6, 30, 'mz1', 6);

-- and leaves
DELETE FROM domain WHERE id = 30;

-- a custom domain that never had a key leaves nothing
INSERT INTO domain (id, platform_id, tenant_id, name, kind) VALUES (31, 1, 2, 'nothing.example', 'delegated');

-- so that it goes
DELETE FROM domain WHERE id = 31;

-- and another tenant may have it
INSERT INTO domain (id, platform_id, tenant_id, name, kind) VALUES (32, 1, 1, 'nothing.example', 'delegated');

-- a custom domain changes its owner
UPDATE domain SET tenant_id = 2 WHERE id = 32;

-- a CNAME alone
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'cdn.shop.example', 'CNAME', 'edge.cdn.example.');

-- several records of an owner, a wildcard, an escape
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, '*.static.shop.example', 'A', '192.0.2.80'), (1, 'multi.shop.example', 'MX', '10 a.example.'), (1, 'multi.shop.example', 'TXT', '"x"');

-- records at names of the platform
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, '_dmarc.shop.example', 'TXT', '"v=DMARC1; p=none"'), (1, 'shop.example', 'TXT', '"v=spf1 -all"');

-- a second platform
INSERT INTO platform (id, name) VALUES (2, 'eu.cloud.example');

-- its zone
INSERT INTO zone (id, platform_id, name, kind, primary_server, hostmaster) VALUES (20, 2, 'eu.cloud.example', 'platform', 'ns1.shop.example', 'hostmaster.shop.example');

-- its pool, relay and tenant
INSERT INTO ip_pool (id, platform_id, name) VALUES (20, 2, 'main');

-- a relay
INSERT INTO relay (id, platform_id, name, spf_include, envelope) VALUES (20, 2, 'bulk', NULL, 'own');

-- the same slug on another platform
INSERT INTO tenant (id, platform_id, slug) VALUES (20, 2, 't1');

-- a host outside of our zones
INSERT INTO ip_address (id, pool_id, address, host_name) VALUES (20, 20, '198.51.100.7', 'mx.hoster.example');

-- a reverse zone of no platform, v6
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (NULL, '8.b.d.0.1.0.0.2.ip6.arpa', 'reverse', 'ns1.shop.example', 'hostmaster.shop.example');

-- a classless reverse zone (RFC 2317)
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (1, '0/25.100.51.198.in-addr.arpa', 'reverse', 'ns1.shop.example', 'hostmaster.shop.example');

-- a stream of one domain
INSERT INTO stream (id, domain_id, name, relay_id) VALUES (20, 20, 'webapp', 1);

-- it goes another way
UPDATE stream SET relay_id = NULL, pool_id = 1 WHERE id = 20;

-- a mail exchanger elsewhere
INSERT INTO mail_exchanger (platform_id, preference, host_name) VALUES (1, 0, 'backup.mx.example');

-- metadata of a zone
INSERT INTO zone_metadata (zone_id, kind, value) VALUES (1, 'ALLOW-AXFR-FROM', '192.0.2.1');

-- a tenant is suspended
UPDATE tenant SET state = 'suspended' WHERE id = 2;
