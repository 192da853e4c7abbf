-- What a sender hears of a stanza that does not go on (RFC 6120 section 8.3), and from whom.
--
-- Knows errors, clients' habits with them and the server's own four sentences; refuses to know why a verdict is what it is.

local st = require "util.stanza";
local jid = require "util.jid";

local hosts = prosody.hosts;
local this_host = module.host;

local xmlns_gate = "apostille:gate:0";
local xmlns_stanzas = "urn:ietf:params:xml:ns:xmpp-stanzas";

-- What a sender hears where the component has never said better, in more languages (apostille_terms).
local texts = {
	unavailable = "Your message was not delivered: the service that checks messages cannot be reached just now. Please try again in a moment.";
	crowded = "Your message was not delivered: too many messages are waiting to be checked. Please send it again in a moment.";
	reload = "Your message was not delivered: the service that checks messages is being restarted. Please send it again in a moment.";
	broken = "Your message was not delivered: it could not be checked. Please send it again; if this comes back, tell your administrator.";
};

local function reply_to(entry, reply)
	local stanza = entry.stanza;
	local to_host = jid.host(stanza.attr.to) or this_host;
	if stanza.name == "message" and not (hosts[to_host] and hosts[to_host].modules.muc) then
		-- Some clients show an error only where it comes from the bare JID that the chat is with.
		reply.attr.from = jid.bare(stanza.attr.to) or jid.bare(stanza.attr.from);
	end
	if entry.origin.type == "c2s" and entry.origin.send then
		if not entry.origin.destroyed then entry.origin.send(reply); end
	else
		module:send(reply);
	end
end

-- `gate_jid` speaks for entries that no component was asked about; `terms` may know better sentences; `language_of(stanza)` is the
-- sender's language. A refusal is a table { kind, condition, text, language, code }, or the code of one of the four sentences.
return function (gate_jid, terms, language_of)
	return function (entry, refusal)
		if entry.held or entry.stanza.attr.type == "error" then return; end
		if type(refusal) == "string" then
			local text, language = terms.text(refusal, language_of(entry.stanza));
			refusal = {
				kind = "wait", condition = "recipient-unavailable", text = text or texts[refusal], language = language or "en", code = refusal;
			};
		end
		local condition = refusal.condition;
		if entry.stanza.name == "iq" and condition == "policy-violation" then
			condition = "not-allowed"; -- libraries that do not know the other leave the client without any answer
		end
		local reply = st.error_reply(entry.stanza, refusal.kind, condition, nil, entry.lane and entry.lane.jid or gate_jid);
		if refusal.text then reply:text_tag("text", refusal.text, { xmlns = xmlns_stanzas, ["xml:lang"] = refusal.language }); end
		reply:tag("refused", { xmlns = xmlns_gate, code = refusal.code }):up();
		reply_to(entry, reply);
	end
end
