-- Runs the gate module's libraries on request: reads frames on standard input, answers each with one. Run with Prosody's own libraries.
--
-- A frame is a line "COMMAND ARGUMENTS SIZE" and then so many bytes; an answer is a line "SIZE" and so many bytes. Stanzas are read
-- by the parser of a real stream, so that names, namespaces and attributes are where a module finds them.
local source, folder = arg[1], arg[2];
package.path = source.."/?.lua;"..package.path;
package.cpath = source.."/?.so;"..package.cpath;

local now = 1000;
package.preload["util.time"] = function () return { now = function () return now end; monotonic = function () return now end } end

local function library(name)
	return assert(loadfile(folder.."/apostille_"..name..".lib.lua"))();
end

local hex = require "util.hex";
local xmppstream = require "util.xmppstream";
local lib = library "facts";
local terms = library "terms"(lib);
prosody = { hosts = {} }; -- luacheck: ignore 111
local devices = library "devices"(lib);

-- A room service with what the module looks at, and what one component has heard about its rooms.
local rooms, handlers, announced, version = {}, {}, {}, 0;
prosody.hosts["rooms.gov.example"] = { events = {}, modules = { muc = { get_room_from_jid = function (address) return rooms[address]; end } } };
module = { -- luacheck: ignore 111
	hook_object_event = function (_, _, name, handler) handlers[name] = handler; end;
	log = function () end;
};
local members = library "members"(lib.word);
local memory = library "told" {
	devices_of = function (address) return announced[address]; end;
	devices_version = function () return version; end;
	members_of = members.of; word = lib.word;
};

-- One stanza of a component's or a client's stream.
local function parse(xml, xmlns)
	local found, wrong;
	local session = { notopen = true };
	local stream = xmppstream.new(session, {
		default_ns = xmlns;
		streamopened = function () session.notopen = nil; end;
		handlestanza = function (_, stanza) found = stanza; end;
		error = function (_, kind, what) wrong = kind.." "..tostring(what); end;
	});
	stream:feed("<stream:stream xmlns='"..xmlns.."' xmlns:stream='http://etherx.jabber.org/streams'>");
	local ok, err = stream:feed(xml);
	return assert(found, "no stanza: "..tostring(wrong or not ok and err));
end

local commands = {};

-- The client's name comes in hex, as it may hold anything; "-" is none.
function commands.facts(xml, client, room)
	local stanza = parse(xml, "jabber:client");
	local to = stanza.attr.to or stanza.attr.from:match("^[^/]*");
	return lib.facts(stanza, "1", "local", to, room, client and client ~= "-" and hex.from(client) or nil);
end

function commands.change(xml)
	return devices.change(parse(xml, "jabber:client")) or "";
end

function commands.word(text)
	return lib.word(text);
end

function commands.terms(xml)
	local ok, why = terms.read(parse(xml, "jabber:component:accept"));
	return ok and "ok" or tostring(why);
end

function commands.free(xml, host)
	return terms.is_free(parse(xml, "jabber:client"), host) and "free" or "asked";
end

function commands.outage(_, from, to)
	local hold, open = terms.in_outage(from, to);
	return hold.." "..(open and "pass" or "bounce");
end

function commands.text(_, code, language)
	local text, found = terms.text(code, language);
	return text and found.." "..text or "";
end

function commands.later(_, seconds)
	now = now + tonumber(seconds);
	return "";
end

-- A line for each account: "JID AFFILIATION", and those there with the affiliation "here".
function commands.room(text, address)
	local affiliations, occupants = {}, {};
	for jid, affiliation in text:gmatch("(%S+) (%S+)\n") do
		if affiliation == "here" then occupants[#occupants + 1] = { bare_jid = jid }; else affiliations[jid] = affiliation; end
	end
	local room = rooms[address] or { jid = address };
	room.each_affiliation = function () return pairs(affiliations); end
	room.each_occupant = function () return ipairs(occupants); end
	rooms[address] = room;
	if handlers["muc-set-affiliation"] then handlers["muc-set-affiliation"] { room = room }; end
	return "";
end

function commands.gone(_, address)
	rooms[address] = nil;
	return "";
end

function commands.announce(line, address)
	announced[address], version = line, version + 1;
	return "";
end

-- What has to be said before a message into a room, with space for so many bytes, and whether that was all.
function commands.tell(_, room, space)
	local said, bytes = {}, 0;
	local done = memory.tell({ about = {}, readers = room }, function (line)
		said[#said + 1], bytes = line, bytes + #line;
	end, function () return bytes < tonumber(space); end);
	said[#said + 1] = done and "done" or "more";
	return table.concat(said, "\n");
end

function commands.forget()
	memory.forget();
	return "";
end

while true do
	local head = io.read("*l");
	if not head then break; end
	local words = {};
	for word in head:gmatch("%S+") do words[#words + 1] = word; end
	local size = tonumber(table.remove(words));
	local text = size > 0 and io.read(size) or "";
	local ok, answer = pcall(commands[table.remove(words, 1)], text, table.unpack(words));
	if not ok then answer = "failed: "..tostring(answer); end
	io.write(#answer, "\n", answer);
	io.flush();
end
