-- What a Prosody module finds in its environment.
std = "lua54+lua53+lua52+lua51"
max_line_length = 140
read_globals = { "prosody" }
files["deploy/prosody/modules/mod_*.lua"] = { globals = { "module" }, read_globals = { "prosody" } }
files["deploy/prosody/modules/*.lib.lua"] = { read_globals = { "prosody", "module" } }
files["deploy/rig/modules/mod_*.lua"] = { globals = { "module" }, read_globals = { "prosody" } }
files["tests/corpus/modules/mod_*.lua"] = { globals = { "module" }, read_globals = { "prosody" } }
