-- mailzone: who may stand in From:. OpenDKIM runs this once all headers of a mail are there (SetupPolicyScript).
-- Only one plain author address passes, in the domain of the envelope that Postfix has checked; else 550 5.7.1.
-- At start it is run once without a mail, where any error is a crash.
if ctx == nil then return nil end

local mailHost = "@MAIL_HOST@"                -- From: of our own bounces
local platform = "@PLATFORM@"
local pairsFolder = "@AUTHORS_FOLDER@"        -- the export's authors/, or "" when the next line is used
local pairsTable = "@AUTHORS_TABLE@"          -- dsn:mysql://USER:PASSWORD@PORT+HOST/DATABASE/table=signing?keycol=name?datacol=author

local function refuse(why)
  odkim.log(ctx, why)
  odkim.set_result(ctx, SMFIS_REJECT)
  return nil
end

-- TOKEN.rp.PLATFORM is the envelope of a custom domain that has no bounce. of its own. Which domain that is cannot be
-- derived from the token: the export, or the database, says it. An error here ends the script: 451, never a signature.
local function isAuthorOf(envelope, author)
  if pairsFolder ~= "" then
    local file = io.open(pairsFolder .. "/" .. envelope, "r")
    if file == nil then return false end
    local owner = file:read("l")
    file:close()
    return owner == author
  end
  local db = odkim.db_open(pairsTable .. "?filter=author='" .. author .. "'")
  local found = odkim.db_check(db, envelope)
  odkim.db_close(db)
  if found == nil then error("the table of authors cannot be asked") end
  return found == 1
end

-- Without the macro the envelope is unknown, and OpenDKIM would choose the key by From:. It then counts as the null
-- sender, whose only author is our own mail host.
local sender = odkim.get_mtasymbol(ctx, "{mail_addr}") or ""
local envelope = mailHost
if sender ~= "" and sender ~= "<>" then envelope = string.lower(string.match(sender, "@([^@]*)$") or "") end
if string.match(envelope, "^[%w.-]+$") == nil then return refuse("envelope sender has no plain domain") end

local from = odkim.get_header(ctx, "From", 0) or ""
if odkim.get_header(ctx, "From", 1) ~= nil then return refuse("more than one From:") end
local unfolded = string.gsub(string.gsub(from, "\r?\n", ""), '"[^"]*"', "")
local address = string.match(unfolded, "^[^<>@,:;()]*<%s*([^<>%s]+)%s*>%s*$") or
                string.match(unfolded, "^%s*([^<>%s]+)%s*$")
local author = address and string.match(address, "^[^@,:;()]*@([%w.-]+)$")
if author == nil or string.find(from, "\\", 1, true) then return refuse("From: is not one plain address") end
author = string.lower(author)
-- The signing table's own row "common" is no domain.
if string.find(author, ".", 1, true) == nil then return refuse("From: has no domain") end

-- Names that we sign or bounce by are nobody's From:. A mail from the common signing domain would be aligned for every
-- tenant, and no DNS record can prevent it.
for _, label in ipairs({"sig", "srs", "rp", "dkim"}) do
  local reserved = label .. "." .. platform
  if author == reserved or string.sub(author, -#reserved - 1) == "." .. reserved then
    return refuse("author " .. author .. " is a name that nobody writes from")
  end
end

if author == envelope or envelope == "bounce." .. author then return nil end
if string.match(envelope, "^%x+%.rp%.") ~= nil and isAuthorOf(envelope, author) then return nil end
return refuse("author " .. author .. " does not belong to envelope " .. envelope)
