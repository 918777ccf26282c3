-- New orders for wrk: reads requests that `benchmarks.wrk` has drawn, notes every acknowledged id.
--
-- The folder in BENCH_WRK_FOLDER holds `keys`, one a line, and `orders`: in each line the number of
-- a key, a lifetime in milliseconds or 0, and a body without its end. `valid_until` is added here,
-- since it counts from the moment of sending. Written there: `<thread>.ids` and `result.json`.

local ffi = require("ffi")
ffi.cdef [[
  typedef struct { long seconds; long nanoseconds; } bench_time;
  int clock_gettime(int clock, bench_time *now);
]]
local REALTIME = 0
local folder = assert(os.getenv("BENCH_WRK_FOLDER"), "BENCH_WRK_FOLDER is not set")
local threads = {}

-- In each thread's own interpreter.

local heads, orders, ids = {}, nil, nil
local now = ffi.new("bench_time")
local instants = {}
statuses = {}

local function instant_after(milliseconds)
  ffi.C.clock_gettime(REALTIME, now)
  local total = tonumber(now.seconds) * 1000 + math.floor(tonumber(now.nanoseconds) / 1e6)
  total = total + milliseconds
  local second = math.floor(total / 1000)
  local text = instants[second]
  if not text then
    text = os.date("!%Y-%m-%dT%H:%M:%S", second)
    instants[second] = text
  end
  return string.format("%s.%03dZ", text, total % 1000)
end

function setup(thread)
  table.insert(threads, thread)
  thread:set("number", #threads)
end

function init(arguments)
  for key in io.lines(folder .. "/keys") do
    table.insert(heads, "POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer " .. key
      .. "\r\nContent-Type: application/json\r\nContent-Length: ")
  end
  orders = assert(io.open(folder .. "/orders"))
  ids = assert(io.open(folder .. "/" .. number .. ".ids", "w"))
end

function request()
  local line = orders:read("*l")
  if not line then
    orders:seek("set")
    line = orders:read("*l")
  end
  local key, lifetime, body = line:match("^(%d+) (%d+) (.*)$")
  if lifetime ~= "0" then
    body = body .. ',"valid_until":"' .. instant_after(tonumber(lifetime)) .. '"'
  end
  return heads[tonumber(key)] .. (#body + 1) .. "\r\n\r\n" .. body .. "}"
end

function response(status, headers, body)
  statuses[status] = (statuses[status] or 0) + 1
  if status == 201 then
    ids:write(body:match('"order_id": ?"([%x-]+)"'), "\n")
  end
end

-- In the main interpreter, at the end.

local function milliseconds(latency, percentile)
  return string.format("%.2f", latency:percentile(percentile) / 1000)
end

function done(summary, latency, requests)
  local total = {}
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("statuses")) do
      total[status] = (total[status] or 0) + count
    end
  end
  local counts = {}
  for status, count in pairs(total) do
    table.insert(counts, string.format('"order %d": %d', status, count))
  end
  local errors = summary.errors
  local result = assert(io.open(folder .. "/result.json", "w"))
  result:write(
    "{",
    '"seconds": ', summary.duration / 1e6,
    ', "answered": ', summary.requests,
    ', "p50_ms": ', milliseconds(latency, 50),
    ', "p90_ms": ', milliseconds(latency, 90),
    ', "p99_ms": ', milliseconds(latency, 99),
    ', "max_ms": ', string.format("%.2f", latency.max / 1000),
    ', "statuses": {', table.concat(counts, ", "), "}",
    ', "errors": {"connect": ', errors.connect, ', "read": ', errors.read,
    ', "write": ', errors.write, ', "timeout": ', errors.timeout, "}}\n"
  )
  result:close()
end
