-- What Postfix asks (docs/sql-contract.md, "Views"). The signing view needs the secrets, which are another file here:
-- mailzone-rotate exports it (tenantdb/secret).

-- Who may use which envelope domain. Postfix: SELECT login FROM sender_login WHERE domain = '%d'.
CREATE VIEW sender_login AS
  SELECT e.name AS domain, l.name AS login
  FROM envelope_domain e
  JOIN login_domain ld ON ld.domain_id = e.domain_id
  JOIN login l ON l.id = ld.login_id
  JOIN tenant t ON t.id = l.tenant_id AND t.state = 'active';

-- Which envelope domains the trusted application may use: those of active tenants and the platform's own.
CREATE VIEW sender_domain AS
  SELECT e.name AS domain
  FROM envelope_domain e
  JOIN domain d ON d.id = e.domain_id
  LEFT JOIN tenant t ON t.id = d.tenant_id
  WHERE d.kind <> 'common' AND (t.id IS NULL OR t.state = 'active');
