-- What a gate component has heard on its stream beyond single messages: who announces which devices, who is in which room.
--
-- Knows what is new to it. Refuses to know where that comes from, and how a question travels.

local longest_memory = 4 * 1024 * 1024; -- bytes of lines about rooms; then both sides begin anew
local row = 200; -- bytes that a room costs beside its line
local most_news = 200; -- accounts of a room in one question: mod_pep reads a list that it has not at hand in 0.3 ms, while all others wait

-- Options: `devices_of(jid)` (a line, or nil), `members_of(room)` ({ line =, jids = }, or nil), `devices_version()` (another number after
-- any account's line may have changed), `word(text)`.
return function (options)
	local memory = {};
	local devices, rooms, bytes, began, stream; -- bare JID -> line; room -> { members =, version = }

	local function forget()
		devices, rooms, bytes, began = {}, {}, 0, false;
	end
	forget();
	memory.forget = forget;

	-- What was told on another stream is not known on this one.
	function memory.on(session)
		if session == stream then return; end
		stream = session;
		forget();
	end

	local function look_up(what, of, address)
		local ok, found = pcall(of, address); -- a question half made would never be answered
		if ok then return found; end
		module:log("error", "%s could not be looked up: %s", what, found);
	end

	local function tell_devices(address, say)
		local line = look_up("An account's devices", options.devices_of, address);
		if line and devices[address] ~= line then
			devices[address] = line;
			say(line);
			return true;
		end
	end

	-- Takes a room out of what both sides remember.
	local function drop(room)
		local heard = rooms[room];
		if heard then rooms[room], bytes = nil, bytes - heard.bytes; end
		return heard;
	end

	local function tell_members(room, members, say)
		drop(room);
		local size = #members.line + row;
		if bytes + size > longest_memory then rooms, bytes, began = {}, 0, false; end
		if not began then say("members -"); end
		began, bytes = true, bytes + size;
		rooms[room] = { members = members, bytes = size };
		say(members.line);
	end

	local function tell_room(room, say, has_space)
		local members, heard = look_up("The members of a room", options.members_of, room), rooms[room];
		if not members then
			if drop(room) then say("members "..options.word(room).." -"); end
			return true;
		end
		local version = options.devices_version();
		if heard and heard.members == members and heard.version == version then return true; end
		if not has_space() then return false; end
		if not heard or heard.members.line ~= members.line then tell_members(room, members, say); end
		local news = 0;
		for _, address in ipairs(members.jids) do
			if news >= most_news or not has_space() then return false; end
			if tell_devices(address, say) then news = news + 1; end
		end
		heard = rooms[room];
		heard.members, heard.version = members, version;
		return true;
	end

	-- Say what has to be known before an entry is read: false if that was too much for one question, and the rest is for the next.
	function memory.tell(entry, say, has_space)
		for _, address in ipairs(entry.about) do tell_devices(address, say); end
		return not entry.readers or tell_room(entry.readers, say, has_space);
	end

	return memory;
end
