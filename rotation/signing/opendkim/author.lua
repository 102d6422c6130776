-- mailzone: who may stand in From:. OpenDKIM runs this once all headers of a mail are there (SetupPolicyScript).
-- Only one plain author address passes, in the domain of the envelope that Postfix has checked; else 550 5.7.1.
-- At start it is run once without a mail, where any error is a crash.
if ctx == nil then return nil end

local mailHost = "@MAIL_HOST@"                -- From: of our own bounces
local platform = "@PLATFORM@"
local authors = "@AUTHORS_FOLDER@"            -- EXPORT_PATH/current/authors

local function refuse(why)
  odkim.log(ctx, why)
  odkim.set_result(ctx, SMFIS_REJECT)
  return nil
end

local function putOff(why)
  odkim.log(ctx, why)
  odkim.set_result(ctx, SMFIS_TEMPFAIL)
  return nil
end

-- TOKEN.rp.PLATFORM is the envelope of a custom domain that has no bounce. of its own. Which domain that is cannot be
-- derived from the token: the export says it, one file per envelope. nil: it does not say. (With a live KeyTable too:
-- odkim.db_open on SQL leaks a connection per mail.)
local function ownerOf(envelope)
  local file = io.open(authors .. "/" .. envelope, "r")
  if file == nil then return nil end
  local owner = file:read("l")
  file:close()
  return owner
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
if string.match(envelope, "^%x+%.rp%.") ~= nil then
  local owner = ownerOf(envelope)
  -- A domain of this minute, or an export that cannot be read: that is not "no".
  if owner == nil then return putOff("owner of " .. envelope .. " is not known yet") end
  if owner == author then return nil end
end
return refuse("author " .. author .. " does not belong to envelope " .. envelope)
