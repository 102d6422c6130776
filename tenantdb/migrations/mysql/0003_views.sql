-- What OpenDKIM and Postfix ask (docs/sql-contract.md, "Views"): by their definer, so that an account that may read a view
-- needs no right on its tables.

-- OpenDKIM's KeyTable: one row for every envelope domain that may send, and the row `common`. The key column is a plain
-- column with a primary key: one lookup. A domain's own key when it has an active one and may use it, else the platform's
-- common key; no row at all (OpenDKIM: try again later) rather than an unsigned mail.
CREATE DEFINER = 'mailzone_definer'@'localhost' SQL SECURITY DEFINER VIEW signing AS
  SELECT e.name AS name, CASE WHEN own.selector_id IS NULL THEN c.name ELSE e.author END AS d, s.slot AS selector,
         p.private_pem AS pem
  FROM envelope_domain e
  JOIN domain d ON d.id = e.domain_id
  LEFT JOIN tenant t ON t.id = d.tenant_id
  LEFT JOIN active_key own ON own.domain_id = d.id AND own.algorithm = 'rsa' AND d.signing = 'own'
    AND d.state <> 'degraded' AND (d.kind <> 'delegated' OR d.state = 'verified')
  LEFT JOIN domain c ON c.platform_id = d.platform_id AND c.kind = 'common'
  LEFT JOIN active_key shared ON shared.domain_id = c.id AND shared.algorithm = 'rsa'
  JOIN dkim_selector s ON s.id = coalesce(own.selector_id, shared.selector_id)
  JOIN dkim_secret p ON p.key_id = s.key_id
  WHERE t.id IS NULL OR t.state = 'active';

-- Who may use which envelope domain. Postfix: SELECT login FROM sender_login WHERE domain = '%d'.
CREATE DEFINER = 'mailzone_definer'@'localhost' SQL SECURITY DEFINER VIEW sender_login AS
  SELECT e.name AS domain, l.name AS login
  FROM envelope_domain e
  JOIN login_domain ld ON ld.domain_id = e.domain_id
  JOIN login l ON l.id = ld.login_id
  JOIN tenant t ON t.id = l.tenant_id AND t.state = 'active';

-- Which envelope domains the trusted application may use: those of active tenants and the platform's own.
CREATE DEFINER = 'mailzone_definer'@'localhost' SQL SECURITY DEFINER VIEW sender_domain AS
  SELECT e.name AS domain
  FROM envelope_domain e
  JOIN domain d ON d.id = e.domain_id
  LEFT JOIN tenant t ON t.id = d.tenant_id
  WHERE d.kind <> 'common' AND (t.id IS NULL OR t.state = 'active');
