"""Fallback bodies of known clients, by SHA-256 of their exact UTF-8 text.

`FALLBACKS`: an OMEMO client sends one beside `<encrypted/>` for those who cannot decrypt. `RETRACTIONS`: a client sends one with a
`<retract/>` (XEP-0424) and a `<fallback/>` mark (XEP-0428), in clear, for those who do not know retractions. Any other text in either
place is readable content. A reaction or a correction has no fixed sentence, so none is here.

To add a client, find the sentence as it goes over the wire (a client that translates it has one for each language: look into its
translation files, and leave out those marked fuzzy), hash it, and add a line that names client and language to the set of its place:
`printf %s "SENTENCE" | sha256sum`. Only the hash belongs here. A sentence must be the same for everybody: one with a name, a quotation or
an address in it is a place for a letter. Dino's sentence for an encryption that failed is left out: such a message must not pass.
"""

from __future__ import annotations

FALLBACKS = frozenset(
    (
        "9dd14f43346b8ffeb0825d681014ecd1671cca3ffce882338d46881f0e969a06",  # Conversations and its forks
        "d0f4483a771ad34cf864c4abe3921e5dd9bd35eff9c3816047d68d814b62da03",  # Tigase Martin (Siskin, Beagle)
        "45e4c57b4101f3cd84eb01d9267e73d6db1b2eca4a2632c33833dc75ed61f5bc",  # Gajim, Profanity
        "6d82bcd5935541fba1142b134f2355ff0ab61b2407bfeeab8a9c7e5b90afa241",  # Profanity, beside OX
        "955a4d92e0c4ae12f33b76c65696736f27ae1d4e0fd7afa0e179988343d56264",  # Dino, Monal
        "a08dfe4aa1ee3485e7f6c448b91947d19646212def4d3b9cd6a3b444e1d94027",  # slixmpp-omemo
        "4a090eeb70c6a5c8989361a4378829872ed643b26817c9b4b96144716d7e0212",  # libomemo (Pidgin's lurch)
        "a0b9ad61779f7079033c6ddbfc67c63d88ca172d52cba12970188bcda66c4fb8",  # Movim
        "671cf232da5a2e46e0ca764bf78dbc155b2ca8223a62df1f34a4ee5e698d4443",  # Psi's OMEMO plugin
        "70ecdbfbc2e11e173983d15e3253940f98c18680c7fcb10c222f53fe47197373",  # Converse, en
        "28aa03f7372f443e371c6b72ae2bb100c2eb3396aaf6b3337e52ce059b4e6a5e",  # Converse, pl
        "b11e2cad486f606b57f9dc9e78d25c1b2d465e06621402fc264eef7801118172",  # Converse, gl
        "d5ac2ddb399bff9b1de188028ddcfcf4459ed364680cb8883661bfd060de336f",  # Converse, fi
        "fcaaae2430334dd825aa2502c6b8738c1ad9e923e1c6ced86f26332e4587dc3a",  # Converse, af
        "6ab7e926df57d09d1e69a7788cbdc894df8c65b28c494b95bdb16d7d9954a327",  # Converse, de
        "de9289b1c20fb80ac99449cbd000b90e0aef957d16b975468a05e242d1c1e706",  # Converse, fa
        "6715cfcad11ae4d814d52669a59beca25039574470890ddb5250b60ea38e447c",  # Converse, ca
        "82f3862d836186b6b1ab34624e220a1e881a52c77b6a87cb1de925774b0c6c5b",  # Converse, ja
        "e45141df8f37e6b6fead3f14fe04dda5c64bb25807bb7d6ccec970ebb4e8b3f7",  # Converse, es
        "cb57e2c03fa4523d35f622d5d8d8a6e44e313f42602b7d460e40d0511c7fc819",  # Converse, cs
        "6f40720b896368d6b91df18c6a281aba4e8a5b7ade2f53ca530922b5fac4c468",  # Converse, ru
        "c2c66434aa078cab357902e0bcbfe1e875f52fd775563ee0107c349cfbb2807f",  # Converse, uk
        "432e1eed1c6d21b186fce4eedeed9cf72af206e5e32f1b94982541e43374e440",  # Converse, ug
        "6d547f198218935f846a713ab8aac007c0cb89f985ae7a7e543494c835e527e4",  # Converse, fr
        "2e74e199db3cb54dc873eeb5933891053a46637dae10c0f88d24df98e1bbf879",  # Converse, hu
        "d0c24e539aed51b709a9255fbc23bbde1a47d3e6b3eefd066b8cff7271fcb58d",  # Converse, id
        "b1df2e3f2de92f8c0b368ced920da067bad4724df9739b6847ca670552a400ef",  # Converse, it
        "d41824dbd42ddbc6ae1ef30aba8387c9158c89b40212827f55b8acc685be3c86",  # Converse, bg
        "0a1599347bec8eae90295d7b32afb319dbceb5a3701d4d05b511800971384d81",  # Converse, ta
        "e4dea0dc698a49e45d1d946256b98faab26ed0901158b59a8b6cf48b7eea39fc",  # Converse, pt_BR
        "82f221e7ba6b0b21b9a38c1c9d386ce38256a22cc05a4779cca9014ae503dce6",  # Converse, oc
        "38a027448d374ca3d986c7707f3a3d5fcccfc409223a23f90c5e0003a44ca1f8",  # Converse, he
        "ced1b6185b1c461faf2e2fd7994410a01f35a1ff0b245f9e23cba3cd40225722",  # Converse, tr
        "9d168564b4623e0e9e819ec77ba99605ca74c9579dd29dc54caf99fd40ec65c8",  # Converse, pt
        "5eb09d69b3e109b15b2b4e9336aa42a89e1c97306a724739b09ccf5b4fa127d6",  # Converse, eu
        "d02a8487fe8fa1719023e9e8d9c5fe591b5c9486ff4c57db775fd3339013caee",  # Converse, zh_TW
        "dbf41789e5fd3e4417e200d9fe67c218a01474b6aaa0d8d13552189a424b7ec8",  # Converse, nb
        "a864993b8799266cbf86bc90e98062a609281aa6c100fd7c7d8e5efe8fe98ae6",  # Converse, nl_BE
        "0f3896c761b2b4fd0d8276149a35e4ca5d24661f02b09cb71ee9f6a61a473295",  # Converse, sv
        "758a1af4f4fe77cae3a237455e70e6ab2fbf1ddb4aa3f05ec04515285cdc777f",  # Converse, nl
        "ad6ba5d36250276d6782788a3e324783637dc0d12c6a4f387cc4cb99a1c41eb7",  # Converse, zh_CN
        "d1771ae780994d54f1a404429097cf0b527ec2c3c10e456fb6dfeada2ea61b7f",  # Converse, lt
        "774049175d9cf42f720f18a35d67bc4263512e1b1138f112f48537dce0885985",  # Converse, ug, a newer one
        "e56d7eb2c8fe5c2b9a6c815caafcb2af1622f68ee9686a496b2368c5ac819cd7",  # QXmpp (Kaidan), OMEMO 2
        "e07ff95085042c01bd791541f052589b78e8da3b551d06d4a7d881fe7a91192b",  # QXmpp, OMEMO 0.3
        "44ab35fd78fc88269c62562be3643940ff522a06cb746b2c8fcbe13a7f8a1f59",  # Iris (Psi, Psi+), since it is no plugin
        "d488659e887e6a1a0784e3585cdd1664e11cc94e440588d9d4063e75d545b0fe",  # poezio (poezio-omemo)
        "861949ecec942950bbfe89293032a4606c0cf1f89a60c5129ff2eade330c9082",  # Smack
    )
)

RETRACTIONS = frozenset(
    (
        "e6db7d0cabd3c9863b0b820916dbed454d6abbc1cf28dcc65b23b18b3c8ab412",  # Monal, Tigase
        "68476512f120989866856b8b15677ce17df3f327f73b6179bc1a5d5fa3482f59",  # slixmpp (poezio)
        "f778a1ba79a59444994b80370a6763ce9a7b758d72e691b6162f5fea19a87f08",  # Gajim
        "e12facc0c9bc0d79bb749906f28a84a6741d2b0a48bd4fa5c1ee0ce72ee01c79",  # Converse
        "8fb87860094099446e907e1d0ed0d5da185ffa88474db0fa534304b6c899f00c",  # Movim, en
        "6cec4a10e375e2f1d9775a549a48720c81dc2a2ecec390ae8266693f9c6e22fc",  # Movim, de
        "420fbc5fc5f7998c47b23d4a1751f3e0c5c258100db91ef5021f7e024fdb28ef",  # Movim, eu
        "8de4697b32b4742ab6eab98339fb6539480befa4f5fd455e487376ef60d4f472",  # Movim, fr
        "b7fdf7c617b8ce222920fbe73c5edad76fa2c9a2c73b02c39be73d38e4c98d25",  # Movim, gl
        "28be613d7dbef182d109cea8d6850303e48273693260569574242d59f73695ac",  # Movim, it
        "9abc917e7acc83cd23d7c7106b0d0e9c8cacc75f126aacb0c5992af53b4e3ffb",  # Movim, pl
        "8d714c6916af415f671eb0b0eb718a93a79f1acf1d3d55ec0c0b7601c37e800f",  # Movim, pt_BR
        "e47d0ba2cafdca6878223f4c6492599b1f4a96f02583dbe945bc93f840a65882",  # Movim, ru
        "31a00ca6d1cb69975e8c4de83c064c60fb60babb431c41cebeb2212d73e5c429",  # Movim, sq
        "d0dbdf4e74b1c83806ad28f333a97a6b5847392ecb3a6873dfd9682e82638008",  # Movim, ug
        "f5464bdc3de4fa8874e35199c1a44a3486bb7a7ebb5ed028aa19be8037efcd33",  # Movim, uk
        "880689ffe58c42f7d2e7e30fa67f8aba5c746bf7bfe226531f2e5fa10b3bc43c",  # Movim, zh
    )
)
