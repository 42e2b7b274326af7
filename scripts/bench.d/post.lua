-- What wrk sends for P7: a new site each time, under an idempotency key of its own.
local run, sent = os.getenv("RUN"), 0
local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. os.getenv("KEY") }

request = function()
    sent = sent + 1
    local name = "site-" .. run .. "-" .. sent
    headers["Idempotency-Key"] = name
    return wrk.format("POST", nil, headers, '{"name": "' .. name .. '", "num_instances": 2, "admin_password": "not-used-but-long-enough"}')
end
