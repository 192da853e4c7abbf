-- What stream management (XEP-0198) may tell a client: nothing that still waits at the gate.
--
-- mod_smacks counts a stanza when it was read, and acknowledges it before the gate has decided. If the server died then, a message would
-- neither arrive nor come back, and its sender would not send it again. So while stanzas of a session wait, the count that mod_smacks
-- tells (session.handled_stanza_count) ends before the oldest of them. A request for an acknowledgement is answered when all that was
-- sent before it has gone on, and so is the resumption of a session: told less, its client would send again what waits here.
--
-- Nothing is touched while nothing waits.

local filters = require "util.filters";
local jid = require "util.jid";

local resumable = module:shared("/*/smacks/resumption-tokens"); -- mod_smacks: user@host/token -> session

local states = setmetatable({}, { __mode = "k" }); -- session -> { count = stanzas read, oldest = that waits, open = { place -> true } }
local places = setmetatable({}, { __mode = "k" }); -- stanza -> its place in its stream
local told = setmetatable({}, { __mode = "k" }); -- session -> what it was told last, and cannot be taken back
local answering = false;

local function tell(session, state)
	if not session.destroyed then session.handled_stanza_count = state.oldest - 1; end
end

-- After mod_smacks, whose filter has the priority 999.
local function count(stanza, session)
	local state = states[session];
	if state and not stanza.attr.xmlns then
		state.count = state.count + 1;
		places[stanza] = state.count;
		tell(session, state);
	end
	return stanza;
end

local function answer(events)
	answering = true;
	for _, event in ipairs(events) do
		if not event.origin.destroyed then
			module:fire_event("stanza/"..event.stanza.attr.xmlns..":"..event.stanza.name, event);
		end
	end
	answering = false;
end

local function leave(session, state)
	states[session] = nil;
	filters.remove_filter(session, "stanzas/in", count);
	state.oldest = state.count + 1;
	tell(session, state);
	answer(state.asked);
	answer(state.resuming);
end

local acks = {};

-- An entry begins to wait; `stanza` is what was read from the stream, or something that the server made in the session's name.
function acks.waits(entry, stanza)
	local session = entry.origin;
	if session.type ~= "c2s" or not session.smacks then return; end
	local state, last = states[session], session.handled_stanza_count or 0;
	if not state and last > (told[session] or 0) then
		state = { count = last, oldest = last, open = {}, asked = {}, resuming = {} };
		states[session], places[stanza] = state, last;
		filters.add_filter(session, "stanzas/in", count, 998);
	end
	local place = places[stanza];
	if state and place and place >= state.oldest then
		entry.place_in_stream, state.open[place] = place, true;
		tell(session, state);
	end
end

-- An entry has gone on, or has been refused and its sender told.
function acks.gone(entry)
	local session = entry.origin;
	local state = entry.place_in_stream and states[session];
	if not state then return; end
	state.open[entry.place_in_stream] = nil;
	while state.oldest <= state.count and not state.open[state.oldest] do state.oldest = state.oldest + 1; end
	if state.oldest > state.count then return leave(session, state); end
	tell(session, state);
	local due = {};
	while state.asked[1] and state.asked[1].after < state.oldest do due[#due + 1] = table.remove(state.asked, 1); end
	answer(due);
end

-- The gate is being unloaded: mod_smacks counts alone again.
function acks.end_all()
	for session, state in pairs(states) do leave(session, state); end
end

for _, version in ipairs { "urn:xmpp:sm:2", "urn:xmpp:sm:3" } do
	module:hook("stanza/"..version..":r", function (event)
		local state = states[event.origin];
		if state and not answering then
			local last = state.asked[#state.asked];
			if last and last.after == state.count then return true; end -- of what asks the same, one answer is enough, and no flood grows
			event.after = state.count;
			state.asked[#state.asked + 1] = event;
			return true;
		end
		told[event.origin] = event.origin.handled_stanza_count;
	end, 10);

	module:hook("stanza/"..version..":resume", function (event)
		local session, token = event.origin, event.stanza.attr.previd;
		local old = session.username and token and resumable[jid.join(session.username, session.host, token)];
		local state = old and states[old];
		if state and not session.full_jid then
			state.resuming[#state.resuming + 1] = event;
			return true;
		end
		if old then told[old] = old.handled_stanza_count; end
	end, 10);
end

return acks;
