-- What no writer can do, after right_states.sql: each statement is refused by both engines and changes nothing. The comment
-- above each is its reason.

-- a slug is lower case
INSERT INTO tenant (platform_id, slug) VALUES (1, 'T5');

-- a slug is one label
INSERT INTO tenant (platform_id, slug) VALUES (1, 'a.b');

-- a slug is not empty
INSERT INTO tenant (platform_id, slug) VALUES (1, '');

-- a slug does not begin with a hyphen
INSERT INTO tenant (platform_id, slug) VALUES (1, '-a');

-- a slug does not end with a hyphen
INSERT INTO tenant (platform_id, slug) VALUES (1, 'a-');

-- a slug has 63 octets at most
INSERT INTO tenant (platform_id, slug) VALUES (1, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa');

-- a slug is letters, digits and hyphens
INSERT INTO tenant (platform_id, slug) VALUES (1, 'a_b');

-- a slug has no blank
INSERT INTO tenant (platform_id, slug) VALUES (1, 'a b');

-- a slug is ASCII
INSERT INTO tenant (platform_id, slug) VALUES (1, 'café');

-- sig is reserved
INSERT INTO tenant (platform_id, slug) VALUES (1, 'sig');

-- mta-sts is reserved
INSERT INTO tenant (platform_id, slug) VALUES (1, 'mta-sts');

-- srs is reserved
INSERT INTO tenant (platform_id, slug) VALUES (1, 'srs');

-- dkim is reserved
INSERT INTO tenant (platform_id, slug) VALUES (1, 'dkim');

-- a host of the platform has this name
INSERT INTO tenant (platform_id, slug) VALUES (1, 'out1');

-- a static record of the platform has this name
INSERT INTO tenant (platform_id, slug) VALUES (1, 'cdn');

-- a static record lies below this name
INSERT INTO tenant (platform_id, slug) VALUES (1, 'static');

-- the slug is taken
INSERT INTO tenant (platform_id, slug) VALUES (1, 't1');

-- the name departed from another tenant
INSERT INTO tenant (platform_id, slug) VALUES (1, 'gone');

-- a name that another tenant was renamed from
INSERT INTO tenant (platform_id, slug) VALUES (1, 'renamed');

-- renamed to a reserved slug
UPDATE tenant SET slug = 'rp' WHERE id = 1;

-- renamed to a departed name of another
UPDATE tenant SET slug = 'gone' WHERE id = 1;

-- renamed to another tenant
UPDATE tenant SET slug = 't2' WHERE id = 1;

-- renamed to a bad label
UPDATE tenant SET slug = 'UPPER' WHERE id = 1;

-- there is no such platform
INSERT INTO tenant (platform_id, slug) VALUES (77, 'x');

-- there is no such state
UPDATE tenant SET state = 'paused' WHERE id = 1;

-- a tenant stays with its platform
UPDATE tenant SET platform_id = 2 WHERE id = 3;

-- the external id is taken
INSERT INTO tenant (platform_id, slug, external_id) VALUES (1, 'dup', 'Kunde 7');

-- equal to a name of another tenant
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'brand.example', 'delegated');

-- below a name of another tenant
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'x.brand.example', 'delegated');

-- far below a name of another tenant
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'x.y.z.brand.example', 'delegated');

-- above a name of another tenant
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'third.example', 'delegated');

-- between two names of another tenant
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'b.third.example', 'delegated');

-- the platform itself
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'shop.example', 'delegated');

-- below the platform
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'custom.shop.example', 'delegated');

-- another tenant's subdomain
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 't1.shop.example', 'delegated');

-- below another tenant's subdomain
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'x.t1.shop.example', 'delegated');

-- above another platform
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'cloud.example', 'delegated');

-- below the common signing domain
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'x.sig.shop.example', 'delegated');

-- in a reverse zone of ours
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'x.2.0.192.in-addr.arpa', 'delegated');

-- above a host of ours
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'hoster.example', 'delegated');

-- a host of ours
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'mx.hoster.example', 'delegated');

-- above a mail exchanger of ours
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'mx.example', 'delegated');

-- departed from another tenant
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'shop.left.example', 'delegated');

-- below a departed name that still answers
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'x.shop.left.example', 'delegated');

-- above a departed name that still answers
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'left.example', 'delegated');

-- moved to a name of another tenant
UPDATE domain SET name = 'sub.brand-two.example' WHERE id = 21;

-- handed to a tenant below whose sibling it lies
UPDATE domain SET tenant_id = 2 WHERE id = 21;

-- a final dot
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'dot.example.', 'delegated');

-- upper case
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'Upper.example', 'delegated');

-- an empty label
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'a..example', 'delegated');

-- a leading dot
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, '.a.example', 'delegated');

-- 254 octets
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.abcd', 'delegated');

-- a label of 64 octets
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example', 'delegated');

-- one label only
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'localhost', 'delegated');

-- a hyphen at a label's end
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'a-.example', 'delegated');

-- an underscore
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, '_x.example', 'delegated');

-- not ASCII
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'bücher.example', 'delegated');

-- a line feed
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'a.example
', 'delegated');

-- another row's bounces come to this name
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'bounce.brand.example', 'delegated');

-- there is no such kind
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 2, 'kind.example', 'parked');

-- a subdomain is called by its slug
UPDATE domain SET name = 'other.shop.example' WHERE name = 't1.shop.example';

-- a second subdomain
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'second.shop.example', 'subdomain');

-- a custom domain has a tenant
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, NULL, 'nobody.example', 'delegated');

-- the platform's domain has none
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 1, 'shop2.example', 'platform');

-- a second platform domain
INSERT INTO domain (platform_id, name, kind) VALUES (1, 'shop2.example', 'platform');

-- a tenant of another platform
INSERT INTO domain (platform_id, tenant_id, name, kind) VALUES (1, 20, 'foreign.example', 'delegated');

-- born verified
INSERT INTO domain (platform_id, tenant_id, name, kind, state) VALUES (1, 2, 'born.example', 'delegated', 'verified');

-- verified without an active key
UPDATE domain SET state = 'verified' WHERE id = 22;

-- degraded without having been verified
UPDATE domain SET state = 'degraded' WHERE id = 22;

-- no such state
UPDATE domain SET state = 'ok' WHERE id = 20;

-- a token does not change
UPDATE domain SET token = 'ffffffffffffffffffffffffffffffff' WHERE id = 20;

-- a token is 32 hexadecimal digits
INSERT INTO domain (platform_id, tenant_id, name, kind, token) VALUES (1, 2, 'token.example', 'delegated', 'abc');

-- a token in upper case
INSERT INTO domain (platform_id, tenant_id, name, kind, token) VALUES (1, 2, 'token.example', 'delegated', 'ABCDEFABCDEFABCDEFABCDEFABCDEFAB');

-- a token is never used again
INSERT INTO domain (platform_id, tenant_id, name, kind, token) VALUES (1, 2, 'token.example', 'delegated', '0123456789abcdef0123456789abcdef');

-- no such way of signing
UPDATE domain SET signing = 'none' WHERE id = 20;

-- no such policy
UPDATE domain SET dmarc_policy = 'monitor' WHERE id = 20;

-- a domain keeps its kind
UPDATE domain SET kind = 'hosted' WHERE id = 20;

-- a domain keeps its platform
UPDATE domain SET platform_id = 2 WHERE id = 20;

-- the platform's domain stays
DELETE FROM domain WHERE id = 1;

-- the common signing domain stays
DELETE FROM domain WHERE id = 2;

-- a second active key of an algorithm
INSERT INTO active_key (domain_id, algorithm, selector_id) VALUES (20, 'rsa', 2);

-- a key of another domain
INSERT INTO active_key (domain_id, algorithm, selector_id) VALUES (22, 'rsa', 3);

-- a switch to a key of another domain
UPDATE active_key SET selector_id = 3 WHERE domain_id = 20;

-- a key of another algorithm
INSERT INTO active_key (domain_id, algorithm, selector_id) VALUES (21, 'ed25519', 3);

-- a revoked key
UPDATE active_key SET selector_id = 2 WHERE domain_id = 20;

-- no key at all
INSERT INTO active_key (domain_id, algorithm, selector_id) VALUES (21, 'rsa', 999);

-- a verified domain keeps its active key
DELETE FROM active_key WHERE domain_id = 20;

-- the active key is not revoked
UPDATE dkim_selector SET revoked_at = '2026-01-04 00:00:00.000000' WHERE id = 1;

-- the active key's slot is not emptied
UPDATE dkim_selector SET emptied_at = '2026-01-04 00:00:00.000000' WHERE id = 1;

-- a slot holds one key
INSERT INTO dkim_selector (domain_id, slot, key_id) VALUES (20, 'mz1', 7);

-- a key is in one slot
INSERT INTO dkim_selector (domain_id, slot, key_id) VALUES (21, 'mz2', 1);

-- there are two slots
INSERT INTO dkim_selector (domain_id, slot, key_id) VALUES (21, 'mz3', 7);

-- a selector stays with its domain
UPDATE dkim_selector SET domain_id = 22 WHERE id = 3;

-- no such key
INSERT INTO dkim_selector (domain_id, slot, key_id) VALUES (21, 'mz2', 999);

-- no such algorithm
INSERT INTO dkim_key (algorithm, bits, public_key, fingerprint, generated_at) VALUES ('dsa', 1024, 'AAAA', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '2026-01-01 00:00:00.000000');

-- a key is not empty
INSERT INTO dkim_key (algorithm, bits, public_key, fingerprint, generated_at) VALUES ('rsa', 2048, '', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '2026-01-01 00:00:00.000000');

-- a fingerprint is 64 hexadecimal digits
INSERT INTO dkim_key (algorithm, bits, public_key, fingerprint, generated_at) VALUES ('rsa', 2048, 'AAAA', 'abc', '2026-01-01 00:00:00.000000');

-- a key is there once
INSERT INTO dkim_key (algorithm, bits, public_key, fingerprint, generated_at) VALUES ('rsa', 2048, 'AAAA', '1111111111111111111111111111111111111111111111111111111111111111', '2026-01-01 00:00:00.000000');

-- zone ids stay below 2^31
INSERT INTO zone (id, platform_id, name, kind, primary_server, hostmaster) VALUES (2147483648, NULL, '9.in-addr.arpa', 'reverse', 'ns1.shop.example', 'hostmaster.shop.example');

-- the zone is there
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (1, 'shop.example', 'platform', 'ns1.shop.example', 'hostmaster.shop.example');

-- a platform zone has the platform's name
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (2, 'other.example', 'platform', 'ns1.shop.example', 'hostmaster.shop.example');

-- a key target zone is called dkim.PLATFORM
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (2, 'keys.eu.cloud.example', 'key_target', 'ns1.shop.example', 'hostmaster.shop.example');

-- a reverse zone lies below arpa
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (1, 'reverse.example', 'reverse', 'ns1.shop.example', 'hostmaster.shop.example');

-- what lies below arpa is a reverse zone
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (1, '7.in-addr.arpa', 'hosted', 'ns1.shop.example', 'hostmaster.shop.example');

-- a zone that is not reverse has a platform
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (NULL, 'free.example', 'hosted', 'ns1.shop.example', 'hostmaster.shop.example');

-- no such kind
INSERT INTO zone (platform_id, name, kind, primary_server, hostmaster) VALUES (1, 'kind.example', 'primary', 'ns1.shop.example', 'hostmaster.shop.example');

-- a negative TTL
UPDATE zone SET ttl = -1 WHERE id = 1;

-- a zone keeps its name
UPDATE zone SET name = 'new.example' WHERE id = 1;

-- a zone with records is not deleted
DELETE FROM zone WHERE id = 1;

-- a serial has 32 bits
UPDATE zone_serial SET serial = 4294967296 WHERE zone_id = 1;

-- a CNAME beside an address
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'ns1.shop.example', 'CNAME', 'x.example.');

-- an address beside a CNAME
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'cdn.shop.example', 'A', '192.0.2.1');

-- two CNAMEs
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'cdn.shop.example', 'CNAME', 'other.example.');

-- a CNAME at the apex
INSERT INTO static_record (zone_id, owner, type, content) VALUES (4, '2.0.192.in-addr.arpa', 'CNAME', 'x.example.');

-- an owner outside of its zone
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'a.example', 'A', '192.0.2.1');

-- an owner that only ends in the same letters
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'ashop.example', 'A', '192.0.2.1');

-- at a tenant's name
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 't1.shop.example', 'A', '192.0.2.1');

-- below a tenant's name
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, '_dmarc.t1.shop.example', 'TXT', '"v=DMARC1; p=none"');

-- at a departed name that still answers
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'gone.shop.example', 'A', '192.0.2.1');

-- moved to a tenant's name
UPDATE static_record SET owner = 'x.t1.shop.example' WHERE owner = 'multi.shop.example';

-- an owner in upper case
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'A.shop.example', 'A', '192.0.2.1');

-- an owner with a final dot
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'a.shop.example.', 'A', '192.0.2.1');

-- SOA is made from the zone row
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'shop.example', 'SOA', 'a. b. 1 2 3 4 5');

-- content is not empty
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'a.shop.example', 'TXT', '');

-- the record is there
INSERT INTO static_record (zone_id, owner, type, content) VALUES (1, 'ns1.shop.example', 'A', '192.0.2.53');

-- no such zone
INSERT INTO static_record (zone_id, owner, type, content) VALUES (99, 'a.shop.example', 'A', '192.0.2.1');

-- a TTL above 2^31-1
INSERT INTO static_record (zone_id, owner, type, ttl, content) VALUES (1, 'a.shop.example', 'A', 2147483648, '192.0.2.1');

-- the address is there
INSERT INTO ip_address (pool_id, address, host_name) VALUES (2, '192.0.2.25', 'x.shop.example');

-- no address
INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, 'localhost', 'x.shop.example');

-- an address in upper case
INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '2001:DB8::1', 'x.shop.example');

-- a host name in upper case
INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '192.0.2.99', 'X.shop.example');

-- a host name of one label
INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '192.0.2.99', 'localhost');

-- a host below a tenant's name
INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '192.0.2.99', 'mx.t1.shop.example');

-- the common signing domain is nobody's host
INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '192.0.2.99', 'sig.shop.example');

-- srs is nobody's host
INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '192.0.2.99', 'srs.shop.example');

-- a host in a zone that is another's apex
INSERT INTO ip_address (pool_id, address, host_name) VALUES (1, '192.0.2.99', 'rp.shop.example');

-- a stream leaves by one way
INSERT INTO stream (platform_id, name, pool_id, relay_id) VALUES (1, 'both', 1, 1);

-- a stream leaves somehow
INSERT INTO stream (platform_id, name) VALUES (1, 'none');

-- a stream is a platform's or a domain's
INSERT INTO stream (platform_id, domain_id, name, pool_id) VALUES (1, 20, 'both', 1);

-- tenants' mail leaves by no forwarding pool
INSERT INTO stream (platform_id, name, pool_id) VALUES (1, 'fwd', 2);

-- a pool of another platform
INSERT INTO stream (domain_id, name, pool_id) VALUES (20, 'foreign', 20);

-- a relay of another platform
INSERT INTO stream (platform_id, name, relay_id) VALUES (1, 'foreign', 20);

-- the stream is there
INSERT INTO stream (platform_id, name, pool_id) VALUES (1, 'webapp', 1);

-- a pool that streams use becomes no forwarding pool
UPDATE ip_pool SET purpose = 'forwarding' WHERE id = 1;

-- a pool in use is not deleted
DELETE FROM ip_pool WHERE id = 1;

-- a pool's name is one label
INSERT INTO ip_pool (platform_id, name) VALUES (1, 'a.b');

-- no such purpose
INSERT INTO ip_pool (platform_id, name, purpose) VALUES (1, 'x', 'receiving');

-- no such envelope
UPDATE relay SET envelope = 'tenant' WHERE id = 1;

-- an include in upper case
UPDATE relay SET spf_include = '_SPF.bulk.example' WHERE id = 1;

-- a mail exchanger below a tenant's name
INSERT INTO mail_exchanger (platform_id, host_name) VALUES (1, 'mx.t1.shop.example');

-- a preference has 16 bits
INSERT INTO mail_exchanger (platform_id, preference, host_name) VALUES (1, 65536, 'mx9.shop.example');

-- logins have one case
INSERT INTO login (tenant_id, name, password_hash) VALUES (1, 'Owner@t1', 'x');

-- the login is there
INSERT INTO login (tenant_id, name, password_hash) VALUES (2, 'owner@t1', 'x');

-- a login has a password
INSERT INTO login (tenant_id, name, password_hash) VALUES (1, 'empty', '');

-- a login for another tenant's domain
INSERT INTO login_domain (login_id, domain_id) VALUES (1, 22);

-- a login for the platform's own domain
INSERT INTO login_domain (login_id, domain_id) VALUES (1, 1);

-- a login moved to another tenant's domain
UPDATE login_domain SET domain_id = 22 WHERE login_id = 1 AND domain_id = 21;

-- a login stays with its tenant
UPDATE login SET tenant_id = 2 WHERE id = 1;

-- a departed name stays
DELETE FROM departed;

-- a departed row keeps its owner
UPDATE departed SET tenant_id = 1 WHERE name = 'gone.shop.example';

-- a departed row keeps its name
UPDATE departed SET name = 'free.shop.example' WHERE name = 'gone.shop.example';

-- a platform keeps its name
UPDATE platform SET name = 'other.example' WHERE id = 1;

-- a platform stays
DELETE FROM platform WHERE id = 2;

-- a platform is no top-level domain
INSERT INTO platform (name) VALUES ('example');

-- a platform at a tenant's name
INSERT INTO platform (name) VALUES ('brand.example');

-- a platform above a tenant's name
INSERT INTO platform (name) VALUES ('third.example');

-- no such policy
UPDATE platform SET dmarc_policy = 'strict' WHERE id = 1;

-- no such entity
INSERT INTO feed_inbox (entity, entity_id) VALUES ('tenant', 1);

-- the feed has one head
INSERT INTO feed_head (one, seq) VALUES (2, 0);

-- an envelope domain is one row's
INSERT INTO envelope_domain (name, domain_id, author) VALUES ('t1.shop.example', 4, 't2.shop.example');
