-- Writes every message down before any other module has seen it: a line of JSON for each, in the file `corpus_record_file`.
local json = require "util.json";

local path = assert(module:get_option_string("corpus_record_file"), "corpus_record_file is not set");

local function record(event)
	local line = json.encode({ stanza = tostring(event.stanza) });
	local file = assert(io.open(path, "a"));
	file:write(line, "\n");
	file:close();
end

for _, kind in ipairs { "bare", "full", "host" } do
	module:hook("pre-message/"..kind, record, 1000000);
end
