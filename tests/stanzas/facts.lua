-- Reads one <message/> on standard input, prints its facts as the gate module would send them. Run with Prosody's own libraries.
local source, library = arg[1], arg[2];
package.path = source.."/?.lua;"..package.path;
package.cpath = source.."/?.so;"..package.cpath;
local facts = assert(loadfile(library))();
local stanza = assert(require "util.xml".parse(io.read("*a"), { allow_comments = true }));
-- A stream's default namespace is not repeated on its stanzas.
local function plain(element)
	if element.attr.xmlns == "jabber:client" then element.attr.xmlns = nil; end
	for _, child in ipairs(element.tags) do plain(child); end
end
plain(stanza);
io.write(tostring(facts.facts(stanza, { ref = "1", flow = "local", to = stanza.attr.to })));
