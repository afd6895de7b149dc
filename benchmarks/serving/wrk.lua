-- A POST with a body from a file. Arguments after `--`: the file, then headers as `Name: value`.
function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method = "POST"
   wrk.body = file:read("*a")
   file:close()
   for index = 2, #args do
      local name, value = args[index]:match("^([^:]+):%s*(.*)$")
      wrk.headers[name] = value
   end
   request = wrk.format()
   wrk.request = function() return request end
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests":%d,"microseconds":%d,"p50":%d,"p90":%d,"p99":%d,"longest":%d,'
         .. '"refused":%d,"broken":%d,"timeouts":%d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(90), latency:percentile(99),
      latency.max, errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
