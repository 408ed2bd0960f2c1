-- Plain requests, one per line of a file: method, target, Authorization ("-" for none, or "Cookie: " and a cookie),
-- separated by tabs.
-- Each thread walks through its own share of the lines and starts again at their end; "exhausted" says that it did.
-- With fewer lines than threads all threads send the same.
-- Usage: wrk ... -s requests.lua URL -- <file> <number of threads>

local numbers, threads = 0, {}
local ACCEPT = "application/vnd.oci.image.manifest.v1+json, application/json, */*"

function setup(thread)
  thread:set("number", numbers)
  numbers = numbers + 1
  threads[numbers] = thread
end

local lines, at = {}, 0
exhausted = 0

function init(args)
  local all, step = {}, tonumber(args[2])
  for line in io.lines(args[1]) do all[#all + 1] = line end
  if #all < step then step = 1 end
  for i = 1 + number % step, #all, step do
    local method, target, authorization = all[i]:match("^(%S+)\t(%S+)\t(.+)$")
    local headers = { Accept = ACCEPT }
    local cookie = authorization:match("^Cookie: (.+)$")
    if cookie then headers.Cookie = cookie
    elseif authorization ~= "-" then headers.Authorization = authorization end
    lines[#lines + 1] = wrk.format(method, target, headers)
  end
end

function request()
  at = at + 1
  if at > #lines then
    at, exhausted = 1, 1
  end
  return lines[at]
end

function done(summary, latency)
  local again, errors = 0, summary.errors
  for _, thread in ipairs(threads) do again = again + thread:get("exhausted") end
  io.write(string.format(
    'RESULT {"requests": %d, "bytes": %d, "seconds": %.6f, "failed": %d, "p95_ms": %.3f, "exhausted": %d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout, latency:percentile(95) / 1000, again))
end
