-- What the Envoy peer does to a response: it holds the body back and compares what stands at the
-- owner's place with the caller's account, by pattern. No JSON is parsed; Envoy brings no parser.
function envoy_on_request(handle)
  handle:streamInfo():dynamicMetadata():set("bench", "account", handle:headers():get("x-account"))
end

function envoy_on_response(handle)
  local account = handle:streamInfo():dynamicMetadata():get("bench")["account"]
  local body = handle:body(true)
  local text = body:getBytes(0, body:length())
  for owner in text:gmatch('"customer": {"id": "([^"]*)"') do
    if owner ~= account then
      handle:headers():replace(":status", "403")
      body:setBytes("")
      return
    end
  end
end
