-- http-request lua.jotsmith QUERY asks Jotsmith whether a request may go on.
-- QUERY is what is demanded, from the configuration alone.
--
-- HAProxy must have deleted the client's own X-Auth-* headers before. A request
-- that may go on gets those of the answer; any other is answered here.

local server = os.getenv("JOTSMITH_URL") or "http://127.0.0.1:8080"
local host = os.getenv("JOTSMITH_HOST") or "auth.example.com"

local asks = { "authorization", "cookie", "origin", "sec-fetch-site", "user-agent" }
local tells = { "x-auth-subject", "x-auth-roles", "x-auth-claims" }
local refusals = { [400] = true, [401] = true, [403] = true, [429] = true, [503] = true }
local passes = { "content-type", "cache-control", "www-authenticate", "retry-after", "x-content-type-options" }

local function list(values) -- HAProxy counts from 0, Lua from 1
  local all, i = {}, 0
  while values and values[i] do
    all[#all + 1] = values[i]
    i = i + 1
  end
  return all
end

local function ask(txn, query)
  local sent = txn.http:req_get_headers()
  local headers = {
    ["host"] = { host },
    ["x-forwarded-for"] = { txn.f:src() },
    ["x-forwarded-method"] = { txn.f:method() },
    ["x-forwarded-proto"] = { txn.f:ssl_fc() == 1 and "https" or "http" },
    ["x-forwarded-host"] = list(sent["host"]),
  }
  for _, name in ipairs(asks) do
    local values = list(sent[name])
    if #values > 0 then headers[name] = values end
  end
  return core.httpclient():get({ url = server .. "/v1/forward-auth?" .. query, headers = headers, timeout = 5000 })
end

local function refuse(txn, status, headers, body)
  local reply = txn:reply({ status = status })
  for _, name in ipairs(passes) do
    for _, value in ipairs(list(headers[name])) do reply:add_header(name, value) end
  end
  reply:set_body(body)
  txn:done(reply)
end

core.register_action("jotsmith", { "http-req" }, function(txn, query)
  local asked, answer = pcall(ask, txn, query)
  local status = asked and answer and answer.status
  if status == 200 and #list(answer.headers["x-auth-subject"]) == 1 then
    for _, name in ipairs(tells) do
      for _, value in ipairs(list(answer.headers[name])) do txn.http:req_set_header(name, value) end
    end
  elseif refusals[status] and list(answer.headers["content-type"])[1] == "application/problem+json" then
    refuse(txn, status, answer.headers, answer.body or "")
  else -- it does not answer, or says what cannot be
    refuse(txn, 503, { ["content-type"] = { [0] = "application/problem+json" }, ["cache-control"] = { [0] = "no-store" }, ["retry-after"] = { [0] = "2" } },
      '{"type":"about:blank","title":"Try again shortly.","status":503}')
  end
end, 1)
