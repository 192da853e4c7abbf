-- One queue per source: what a session, another server or a component sends goes on in the order in which it came.
--
-- Knows when an entry may go on, how to let a session end whose last words still wait, and when a source has to stop sending for a
-- while. Refuses to know what a verdict is: whoever parks an entry decides it later.
--
-- It never waits inside a session's coroutine: in Prosody 0.12 a connection that was paused and resumed may forget what
-- lies in LuaSocket's own buffer, and the last stanzas of a burst hang.

local st = require "util.stanza";
local async = require "util.async";
local jid = require "util.jid";
local recalc_resource_map = require "util.presence".recalc_resource_map;
local sessionmanager = require "core.sessionmanager";

local prosody = prosody;

-- A session that is torn down while its messages wait would be wiped, and they would go on as nobody's: keep what
-- handlers look at.
local function snapshot(origin)
	return {
		type = origin.type; username = origin.username; host = origin.host; resource = origin.resource;
		full_jid = origin.full_jid; roster = origin.roster; log = origin.log; send = function () return false; end;
	};
end

-- A session whose full JID another one took while its messages waited: what it had entered or told and its heir did not, it
-- leaves now (mod_presence would have said so before the heir was there).
local function depart(session, heir)
	local gone = st.presence({ type = "unavailable", from = session.full_jid });
	for to in pairs(session.directed or {}) do
		if not (heir.directed and heir.directed[to]) then
			local presence = st.clone(gone);
			presence.attr.to = to;
			prosody.core_post_stanza(session, presence, true);
		end
	end
	session.directed = nil;
	if session.presence and not heir.presence then
		prosody.core_post_stanza(session, st.clone(gone), true);
	end
end

-- `release(entry, origin)` lets one entry go on, `broken(entry, error)` hears that it could not; `acks` hears what waits and what has
-- gone. `backlog` entries of one source are as many as it may have waiting before nothing more is read from its connection.
return function (release, broken, acks, backlog)
	local queues = { count = 0 }; -- entries in all queues
	local sources = setmetatable({}, { __mode = "k" }); -- origin -> its queue, as long as the origin lives
	local last_to = {}; -- bare JID -> the last message that is on its way to it

	local function is_idle(source)
		return source.from > source.to and source.runner.state == "ready";
	end

	-- Nothing waits any more: let a session go whose end was put off.
	local function finish(source)
		if not is_idle(source) then return; end
		local session = source.closing and source.origin;
		source.closing, source.current = nil, nil;
		if session and not session.destroyed then
			local heir = session.full_jid and prosody.full_sessions[session.full_jid];
			if heir ~= session then
				if heir then depart(session, heir); end
				session.full_jid = nil; -- a new session has taken its place and must not be unregistered
			end
			sessionmanager.destroy_session(session, source.closing_reason);
		end
	end

	-- Whatever became of a message: what waited for it goes on.
	function queues.let_followers_go(entry)
		if entry.bare_to and last_to[entry.bare_to] == entry then last_to[entry.bare_to] = nil; end
		local followers = entry.followers or {};
		entry.followers = nil;
		for _, follower in ipairs(followers) do queues.decide(follower); end
	end

	-- An entry is held through an outage: nobody shall wait for it, nor for what waits behind it in its queue.
	function queues.let_all_go(entry)
		queues.let_followers_go(entry);
		local source = entry.source;
		if source.entries[source.from] ~= entry then return; end
		for place = source.from + 1, source.to do
			local behind = source.entries[place];
			if behind then queues.let_followers_go(behind); end
		end
	end

	local function is_stuck(entry)
		local head = entry.source.entries[entry.source.from];
		return entry.on_hold or (head and head.on_hold);
	end

	local function on_turn(entry)
		local source, stanza, origin = entry.source, entry.stanza, entry.origin;
		source.current = entry;
		if origin.destroyed then origin = source.snapshot; end
		-- The first presence of a session that nobody reads: mod_presence would route messages to it, and empty the offline store into it.
		local unread = entry.held and source.closing and stanza.name == "presence" and not stanza.attr.to and not stanza.attr.type;
		if not unread then release(entry, origin); end
		acks.gone(entry);
		queues.let_followers_go(entry);
	end

	local function new_source(origin)
		local source = { origin = origin, entries = {}, from = 1, to = 0, snapshot = origin.type == "c2s" and snapshot(origin) or origin };
		source.runner = async.runner(on_turn, {
			error = function (_, err)
				if not source.current then return; end
				broken(source.current, err);
				acks.gone(source.current);
				queues.let_followers_go(source.current);
			end;
			ready = function () finish(source); end;
		}, source);
		sources[origin] = source;
		return source;
	end

	-- Reading on goes by the server's own way of pausing for a time, which looks into LuaSocket's buffer afterwards.
	local function read_on(source)
		local conn = source.paused;
		source.paused = nil;
		if conn.conn then conn:pausefor(0); end
	end

	local function drain(source)
		while source.from <= source.to and source.entries[source.from].decided do
			local entry = source.entries[source.from];
			source.entries[source.from] = nil;
			source.from = source.from + 1;
			queues.count = queues.count - 1;
			source.runner:run(entry);
		end
		if source.paused and source.to - source.from < backlog / 2 then read_on(source); end
		finish(source);
	end

	-- `stanza` is what was read from the stream; the entry's own may be a copy. A message names the account that it is for (`bare_to`).
	function queues.park(entry, stanza)
		if entry.bare_to then last_to[entry.bare_to] = entry; end
		local source = sources[entry.origin] or new_source(entry.origin);
		acks.waits(entry, stanza);
		entry.source = source;
		source.to = source.to + 1;
		source.entries[source.to] = entry;
		queues.count = queues.count + 1;
		if source.to - source.from >= backlog and not source.paused then
			local conn = entry.origin.conn;
			if conn and conn.pause and conn.pausefor then
				source.paused = conn;
				conn:pause();
			end
		end
		if entry.decided then drain(source); end
	end

	function queues.decide(entry, refused)
		if entry.decided then return; end
		entry.decided, entry.refused = true, refused;
		drain(entry.source);
	end

	-- Whether a source has so much waiting that no more may come: one whose connection cannot be paused (BOSH).
	function queues.is_full(origin)
		local source = sources[origin];
		return source ~= nil and source.to - source.from >= 4 * backlog;
	end

	-- How many stanzas of a source have not gone on yet.
	function queues.length(origin)
		local source = sources[origin];
		if not source or is_idle(source) then return 0; end
		return source.to - source.from + 1 + (source.runner.state == "ready" and 0 or 1);
	end

	-- While messages of a source wait, everything else from it queues behind them (RFC 6120 section 10.1: in order). What an account says
	-- to all (`address`: whose) queues behind the messages to it, too: what was said to somebody before he comes or goes reaches him, or
	-- is kept for him, as if it had not been waited for.
	function queues.hold(origin, stanza, pre, address)
		local source, first = sources[origin], address and last_to[address];
		if origin.destroyed or (source and coroutine.running() == source.runner.thread) then return; end -- part of what is released
		local head = source and source.entries[source.from];
		if head and head.on_hold and stanza.name == "iq" then return; end -- in an outage a client still gets its answers
		if first and (first.source == source or is_stuck(first)) then first = nil; end
		if not first and (not source or is_idle(source)) then return; end
		local entry = { origin = origin; stanza = st.clone(stanza); pre = pre; held = true; decided = not first };
		if first then
			first.followers = first.followers or {};
			table.insert(first.followers, entry);
		end
		queues.park(entry, stanza);
		return true;
	end

	-- A client that sends and hangs up: its session stays until its messages have gone, in order, as its own.
	function queues.keep_open(session, reason)
		local source = sources[session];
		if not source or is_idle(source) then return; end
		if not source.closing then
			source.closing, source.closing_reason = true, reason;
			-- Nobody reads it any more. A message to it is refused, so that it is kept for later; but a room would throw its
			-- occupant out for that, before the last words are said.
			function session.send(stanza)
				return st.is_stanza(stanza) and (stanza.name == "presence" or stanza.attr.type == "groupchat");
			end
			if session.priority then -- no new message is routed to it; its presence stays, for contacts have to hear that it leaves
				session.priority = -1;
				recalc_resource_map(prosody.bare_sessions[jid.join(session.username, session.host)]);
			end
		end
		return true;
	end

	return queues;
end
