-- The last line that wrk prints: what one run measured, as JSON. Times are in microseconds.
done = function(summary, latency, requests)
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50": %.0f, "p99": %.0f, "p999": %.0f, '
      .. '"refused": %d, "broken": %d, "cut": %d}\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
    summary.errors.status, summary.errors.connect + summary.errors.write + summary.errors.timeout,
    summary.errors.read))
end
