-- Who can read what is said in a room: its owners, admins and members, present or not, and whoever is in it.
--
-- Knows where a room of this server keeps them. Refuses to keep them itself: a line is written anew when somebody's affiliation
-- changes or somebody comes or goes, and lives no longer than the room does in memory.

local jid = require "util.jid";

local hosts = prosody.hosts;

local reads = { owner = true, admin = true, member = true };

local most_members = 2500;
local longest_line = 128 * 1024; -- bytes; of a room that is larger nothing is told

-- `word` writes a text as one word of a line.
return function (word)
	local members = {};
	local known = setmetatable({}, { __mode = "k" }); -- room -> { line =, jids = }
	local watched = setmetatable({}, { __mode = "k" }); -- events of a host

	local function forget(event)
		known[event.room] = nil;
	end

	-- Members come and go all day, and can read all the same.
	local function forget_guest(event)
		if not reads[event.room:get_affiliation(event.occupant.bare_jid)] then forget(event); end
	end

	local function watch(host)
		if watched[host.events] then return; end
		watched[host.events] = true;
		module:hook_object_event(host.events, "muc-set-affiliation", forget, 1000);
		module:hook_object_event(host.events, "muc-occupant-joined", forget_guest, 1000);
		module:hook_object_event(host.events, "muc-occupant-left", forget_guest, 1000);
	end

	-- Affiliations of whole domains are left out: Prosody lets nobody in by one.
	local function gather(room)
		local found, jids = {}, {};
		local function add(address)
			if address and not found[address] and jid.node(address) then
				found[address] = true;
				jids[#jids + 1] = address;
			end
		end
		for address, affiliation in room:each_affiliation() do
			if reads[affiliation] then add(address); end
		end
		for _, occupant in room:each_occupant() do add(occupant.bare_jid); end
		if #jids > most_members then return nil; end
		table.sort(jids);
		return jids;
	end

	local function described(room)
		local head, jids = "members "..word(room.jid), gather(room);
		if jids then
			local words = { head };
			for place, address in ipairs(jids) do words[place + 1] = word(address); end
			local line = table.concat(words, " ");
			if #line <= longest_line then return { line = line, jids = jids }; end
		end
		return { line = head.." -", jids = {} };
	end

	-- The line about a room of this server and the bare JIDs in it, nil for any other room; the same table until something changes.
	function members.of(address)
		local host = hosts[jid.host(address)];
		local muc = host and host.modules and host.modules.muc;
		local room = muc and muc.get_room_from_jid(address);
		if not room then return nil; end
		watch(host);
		if not known[room] then known[room] = described(room); end
		return known[room];
	end

	return members;
end
