-- Asking one gate component: what waits for a question, the batch under way, and what its answer says.
--
-- Knows the wire (apostille:gate:0), patience and outages. Refuses to know queues and stanzas: entries come with their lines, and
-- go back decided.

local st = require "util.stanza";
local new_id = require "util.id".medium;
local time_now = require "util.time".now;
local add_task = require "util.timer".add_task;

local hosts = prosody.hosts;
local xml_escape = st.xml_escape;

local xmlns_gate = "apostille:gate:0";
local longest_batch = 256 * 1024; -- bytes; the other side's limit is 512 KiB
local most_reports = 1000; -- archive ids that are kept while the component is away
local report_pause = 0.2; -- seconds that archive ids wait for a question to ride with
local outage_pause = 0.5; -- seconds between two looks whether the component is back

-- Numbers as they are written on the wire (spec.md section 5, rule 3): decimal digits, and nothing that only Lua reads as a number.
local function digits(text, most)
	return #text <= most and text:find("^%d+$") and tonumber(text) or nil;
end

local kinds = { modify = true, cancel = true, auth = true, wait = true };

-- Options: `gate` and `host` (JIDs), `patience` (seconds), `most` (messages in a question), `told` (what the component has heard on this
-- stream), `on_hold(entry)` (hears what is held through an outage).
-- `decide(entry, refusal)` hears what becomes of an entry; a refusal is a table { kind, condition, text, language, code }, or the word
-- "unavailable" or "broken".
return function (options, decide)
	local gate_jid, patience, batch_messages = options.gate, options.patience, options.most;
	local addresses = "' from='"..xml_escape(options.host).."' to='"..xml_escape(gate_jid).."'><ask xmlns='"..xmlns_gate.."'>";
	local shortest_patience = math.min(1, patience); -- seconds that the component has for a question at least

	local lane = { jid = gate_jid };
	local waiting = {}; -- entries that no question has been sent for yet, first in first out
	local waiting_from, waiting_to = 1, 0;
	local asked; -- the batch under way: { id =, entries = { ref -> entry }, order = { refs }, reports =, timer = }
	local reports = {}; -- lines about archive ids, for the next question
	local told = options.told;
	local flush_due, report_due, outage_due = false, false, false;
	local flush, flush_soon;

	-- The component's own stream, on this server and nowhere else.
	local function stream()
		local host = hosts[gate_jid];
		local component = host and host.modules and host.modules.component;
		return component and component.connected and component.session;
	end

	local function entries_of(batch)
		local entries = {};
		for place, ref in ipairs(batch.order) do entries[place] = batch.entries[ref]; end
		return entries;
	end

	-- No verdict: what the terms let be held through an outage waits at the head of the line, what they let pass goes on, and all
	-- else is given up. How many went is returned.
	local function without_verdict(entries)
		local now, kept = time_now(), {};
		for _, entry in ipairs(entries) do
			entry.on_hold = now - entry.since < entry.hold;
			if entry.on_hold then
				kept[#kept + 1] = entry;
				options.on_hold(entry);
			end
		end
		for place = #kept, 1, -1 do
			waiting_from = waiting_from - 1;
			waiting[waiting_from] = kept[place];
		end
		for _, entry in ipairs(entries) do
			if not entry.on_hold then decide(entry, not entry.open and "unavailable" or nil); end
		end
		if #kept > 0 and not outage_due then
			outage_due = true;
			add_task(outage_pause, function ()
				outage_due = false;
				flush();
			end);
		end
		return #entries - #kept;
	end

	-- All that waits and need not: everything while the component is away, else what has waited too long.
	local function take(everything)
		local now, taken, left = time_now(), {}, {};
		for place = waiting_from, waiting_to do
			local entry = waiting[place];
			local list = (everything or now - entry.since >= patience) and taken or left;
			list[#list + 1] = entry;
		end
		waiting, waiting_from, waiting_to = left, 1, #left;
		return taken;
	end

	local function close_batch(batch)
		if asked ~= batch then return false; end
		asked = nil;
		batch.timer:stop();
		return true;
	end

	local function reports_later(pause)
		if report_due or #reports == 0 then return; end
		report_due = true;
		add_task(pause, function ()
			report_due = false;
			flush();
		end);
	end

	-- The archives give a message its ids (XEP-0359) only after it was judged; a complaint cites them, so the ledger learns them.
	-- Reports ride with the next question, or alone after a moment; what cannot be told while the component is away is told later.
	function lane.report(line)
		if #reports >= most_reports then return; end
		reports[#reports + 1] = line;
		reports_later(report_pause);
	end

	local function fail_batch(batch, why)
		if not close_batch(batch) then return; end
		told.forget(); -- who knows what it has heard
		local given_up = without_verdict(entries_of(batch));
		given_up = given_up + without_verdict(take(false));
		if given_up > 0 then
			module:log("warn", "No verdict for %d message(s) (%s): their senders are told to try again", given_up, why);
		end
		for _, line in ipairs(batch.reports) do
			if #reports < most_reports then reports[#reports + 1] = line; end
		end
		reports_later(5);
		if waiting_from <= waiting_to and not waiting[waiting_from].on_hold then flush_soon(); end -- not at once: this would nest
	end

	function flush()
		if asked or (waiting_from > waiting_to and #reports == 0) then return; end
		local session = stream();
		if not session then
			local given_up = without_verdict(take(true));
			if given_up > 0 then
				module:log("warn", "%s is not connected: the senders of %d message(s) are told to try again", gate_jid, given_up);
			end
			reports_later(5);
			return;
		end
		local batch = { id = "apostille-"..new_id(), entries = {}, order = {}, reports = reports };
		local lines, count, bytes = { "<iq type='set' id='", batch.id, addresses }, 3, 0;
		reports = {};
		for _, line in ipairs(batch.reports) do
			lines[count + 1], lines[count + 2] = line, "\n";
			count, bytes = count + 2, bytes + #line;
		end
		local function say(line)
			lines[count + 1], lines[count + 2] = line, "\n";
			count, bytes = count + 2, bytes + #line;
		end
		local function has_space() return bytes < longest_batch; end
		told.on(session);
		local order, entries, taken = batch.order, batch.entries, 0;
		while waiting_from <= waiting_to and taken < batch_messages and has_space() do
			local entry = waiting[waiting_from];
			if not told.tell(entry, say, has_space) then break; end -- a large room: it is asked about when all of it was told
			waiting[waiting_from] = nil;
			waiting_from = waiting_from + 1;
			taken = taken + 1;
			entries[entry.ref], order[taken], entry.place, entry.on_hold = entry, entry.ref, taken, nil;
			lines[count + 1], lines[count + 2] = entry.lines, "\n";
			count, bytes = count + 2, bytes + #entry.lines;
		end
		lines[count + 1] = "</ask></iq>";
		asked = batch;
		-- What waited for an earlier answer has less time left, but the component gets a moment for every question.
		local oldest = entries[order[1]];
		local left = oldest and math.max(patience - (time_now() - oldest.since), shortest_patience) or patience;
		batch.timer = module:add_timer(left, function ()
			if batch.overdue then
				fail_batch(batch, "too late");
			else -- the answer may lie in the socket already, unread by a busy server: let it be read first
				batch.overdue = true;
				return 0.05;
			end
		end);
		session.send(table.concat(lines));
	end

	function flush_soon()
		-- On the next tick, so that what was read from the socket together is asked together.
		if asked or flush_due then return; end
		flush_due = true;
		add_task(0, function ()
			flush_due = false;
			flush();
		end);
	end

	function lane.ask(entry)
		waiting_to = waiting_to + 1;
		waiting[waiting_to] = entry;
		flush_soon();
	end

	-- The component has come (back), or gone.
	lane.connected = flush_soon;

	function lane.disconnected()
		if asked then fail_batch(asked, "component away"); end
	end

	-- What one verdict says: a refusal, or that a message and as many as `count` says after it, in the order of the question, pass.
	local function read_verdict(batch, verdict, refusals, heard)
		local ref, count, record = verdict.attr.ref, digits(verdict.attr.count or "1", 10), digits(verdict.attr.record or "0", 15);
		local entry = ref and batch.entries[ref];
		local known = verdict.attr.xmlns == xmlns_gate and (verdict.name == "pass" or (verdict.name == "refuse" and count == 1));
		if not entry or not known or not record or not count or count < 1 or not batch.order[entry.place + count - 1] then
			module:log("warn", "The gate component gave a verdict that cannot be understood");
			if entry then heard[ref], refusals[ref] = true, "broken"; end
			return;
		end
		for i = 0, count - 1 do
			ref = batch.order[entry.place + i];
			if heard[ref] then
				module:log("warn", "The gate component gave two verdicts on one message");
				refusals[ref] = "broken";
			end
			heard[ref] = true;
			batch.entries[ref].record = verdict.attr.record and ("%d"):format(record + i);
		end
		if verdict.name == "refuse" and not refusals[ref] then
			refusals[ref] = {
				kind = kinds[verdict.attr.type] and verdict.attr.type or "cancel"; condition = "policy-violation";
				text = verdict:get_text(); language = verdict.attr["xml:lang"]; code = verdict.attr.code;
			};
		end
	end

	local function obey(batch, verdicts)
		local refusals, heard = {}, {};
		for _, verdict in ipairs(verdicts.tags) do read_verdict(batch, verdict, refusals, heard); end
		for _, ref in ipairs(batch.order) do
			decide(batch.entries[ref], heard[ref] and refusals[ref] or not heard[ref] and "broken" or nil);
		end
	end

	-- An IQ of type result or error from the component, to a question of ours.
	function lane.answer(stanza)
		local batch = asked;
		if not batch or batch.id ~= stanza.attr.id then
			module:log("warn", "The gate component answered too late; its verdicts are not obeyed");
			return;
		end
		local verdicts = stanza.attr.type == "result" and #stanza.tags == 1 and stanza:get_child("verdicts", xmlns_gate);
		if not verdicts then
			fail_batch(batch, stanza.attr.type == "error" and "component away" or "unreadable answer");
			return;
		end
		close_batch(batch);
		flush(); -- the component works on the next question while this server obeys the last answer
		obey(batch, verdicts);
	end

	-- Everything that waits or is being asked about, given back undecided.
	function lane.give_back()
		local entries = {};
		if asked then
			asked.timer:stop();
			entries = entries_of(asked);
			asked = nil;
		end
		for place = waiting_from, waiting_to do entries[#entries + 1] = waiting[place]; end
		waiting, waiting_from, waiting_to = {}, 1, 0; -- a flush that is due finds nothing
		return entries;
	end

	return lane;
end
