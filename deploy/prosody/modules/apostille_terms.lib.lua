-- The terms that the gate component sets: what may pass without being asked about, what happens in an outage, and in which words.
--
-- Knows how to compare a stanza with a table. Refuses to hold any knowledge of its own: before the component has spoken, and
-- when it has been silent for as long as it said, everything is asked and nothing is held.

local time_now = require "util.time".now;
local match = string.match;

local xmlns_gate = "apostille:gate:0";
local xmlns_client = "jabber:client";

local function whole(text)
	return text and text:find("^%d+$") and tonumber(text) or nil;
end

local function resource(jid)
	return #(jid and match(jid, "/(.*)") or "");
end

-- `facts` measures, so that both say the same of a stanza.
return function (facts)
	local measure, loose_text, most_children = facts.measure, facts.loose_text, facts.most_children;
	local terms = {};
	local free, rows, within, outage, texts, valid_until = nil, {}, {}, {}, {}, 0;

	-- Take the place of what was said before; nil and a reason when it cannot be read, and then nothing is free
	-- and nothing is held.
	function terms.read(element)
		free, rows, within, outage, texts, valid_until = nil, {}, {}, {}, {}, 0;
		local outages, languages = {}, {};
		local seconds, table_ = whole(element.attr.valid), element:get_child("free", xmlns_gate);
		if not seconds or not table_ then return nil, "no table or no term"; end
		local limits = { id = whole(table_.attr.id), aside = whole(table_.attr.aside), times = whole(table_.attr.times) };
		if not (limits.id and limits.aside and limits.times) then return nil, "a table without limits"; end
		for host in (table_.attr.within or ""):gmatch("%S+") do within[host] = true; end
		for child in table_:childtags("child", xmlns_gate) do
			local attr = child.attr;
			local row = { t = whole(attr.t), a = whole(attr.a), e = whole(attr.e), type = attr.type };
			if not (attr.ns and attr.name and row.t and row.a and row.e) then return nil, "a row without measures"; end
			rows[attr.ns] = rows[attr.ns] or {};
			rows[attr.ns][attr.name] = row;
		end
		for one in element:childtags("outage", xmlns_gate) do
			local attr = one.attr;
			if not attr.from or not attr.to then return nil, "an outage without parties"; end
			outages[attr.from.." "..attr.to] = { hold = attr.mode == "hold" and whole(attr.seconds) or 0, open = attr.mode == "pass" };
		end
		for one in element:childtags("text", xmlns_gate) do
			local code, language, text = one.attr.code, one.attr["xml:lang"], one:get_text();
			if not (code and language) or (text or "") == "" then return nil, "a text without a code, a language or words"; end
			languages[language:lower()] = languages[language:lower()] or { name = language; texts = {} };
			languages[language:lower()].texts[code] = text;
		end
		free, outage, texts, valid_until = limits, outages, languages, time_now() + seconds;
		return true;
	end

	local function row_of(child, kind)
		local names = rows[child.attr.xmlns or xmlns_client];
		local row = names and names[child.name];
		return row and (not row.type or row.type == kind) and row or nil;
	end

	-- Whether a message to this host carries nothing that a person could have written. Almost every message with content fails at its
	-- first element.
	function terms.is_free(stanza, to_host)
		local tags, attr = stanza.tags, stanza.attr;
		if not free or not within[to_host] or (tags[1] and not row_of(tags[1], attr.type)) then return false; end
		if time_now() > valid_until or loose_text(stanza) > 0 or #(attr.id or "") > free.id or #tags > most_children then return false; end
		if resource(attr.to) > free.id or resource(attr.from) > free.id then return false; end -- its sender chose both
		local aside, times = 0, {};
		for _, child in ipairs(tags) do
			local row = row_of(child, attr.type);
			if not row then return false; end
			local text, attributes, elements = measure(child);
			if text > row.t or attributes > row.a or elements > row.e then return false; end
			aside = aside + text + attributes;
			times[row] = (times[row] or 0) + 1;
			if times[row] > free.times then return false; end
		end
		return aside <= free.aside;
	end

	-- What becomes of a message that no verdict can be had for: seconds that it may be held, and whether it may pass.
	function terms.in_outage(from_host, to_host)
		local class = outage[from_host.." "..to_host] or outage[from_host.." *"] or outage["* "..to_host] or outage["* *"];
		if not class then return 0, false; end
		return class.hold, class.open;
	end

	-- The words for a code, in the nearest language to one that there is (RFC 4647 section 3.4) and else in English, and which that is;
	-- nil if the component has given none.
	function terms.text(code, language)
		local tag = language and language:lower() or "";
		while tag ~= "" and not texts[tag] do tag = tag:match("^(.*)%-") or ""; end
		local found = texts[tag] or texts.en;
		if found and found.texts[code] then return found.texts[code], found.name; end
	end

	return terms;
end
