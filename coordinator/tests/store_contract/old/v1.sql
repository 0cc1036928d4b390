PRAGMA application_id = 1164736884;
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE chunks (
        job INTEGER NOT NULL, first_item INTEGER NOT NULL, items INTEGER NOT NULL, blob BLOB NOT NULL,
        PRIMARY KEY (job, first_item)) WITHOUT ROWID;
CREATE TABLE epoch (only INTEGER PRIMARY KEY CHECK (only = 1), value INTEGER NOT NULL);
INSERT INTO "epoch" VALUES(1,1);
CREATE TABLE errors (
        job INTEGER NOT NULL, cause INTEGER NOT NULL, headline TEXT NOT NULL, detail TEXT NOT NULL,
        count INTEGER NOT NULL, shard INTEGER NOT NULL, last_ms INTEGER NOT NULL,
        PRIMARY KEY (job, cause, headline)) WITHOUT ROWID;
CREATE TABLE failed (
        place INTEGER PRIMARY KEY, first_item INTEGER NOT NULL, end_item INTEGER NOT NULL,
        cause INTEGER NOT NULL, detail TEXT NOT NULL);
CREATE TABLE jobs (
        id INTEGER PRIMARY KEY, state INTEGER NOT NULL, reason TEXT,
        started_ms INTEGER, ended_ms INTEGER, record TEXT NOT NULL);
INSERT INTO "jobs" VALUES(1882504495802244656,4,NULL,1795296188168,1795296192481,'{"id":"j-1m7zzvnr5wqhg","spec":{"program":"c5c271cd9b3f62c7a90ac806eed3a29070c071e662d839c478ca47c1e4a8ea42","entry":"default","name":"done","params":null,"input":{"range":{"start":0,"end":3,"step":1}},"grain":{"items":1},"priority":0,"weight":100,"on_failure":"fail","attempts_max":5,"limits":{"memory_mib":256,"shard_time_ms":60000},"needs":{"native":false,"trusted":false,"simd":false},"trust":"private","labels":{}},"program":"c5c271cd9b3f62c7a90ac806eed3a29070c071e662d839c478ca47c1e4a8ea42","owner":"dev","submitted_ms":1795296188165,"source":{"Range":{"start":0,"step":1}},"picture":false}');
INSERT INTO "jobs" VALUES(1882504500445218272,1,NULL,1795296192603,NULL,'{"id":"j-1m7zzvt2hs1f0","spec":{"program":"c5c271cd9b3f62c7a90ac806eed3a29070c071e662d839c478ca47c1e4a8ea42","entry":"default","name":"half","params":null,"input":{"range":{"start":0,"end":60,"step":1}},"grain":{"items":1},"priority":0,"weight":100,"on_failure":"fail","attempts_max":5,"limits":{"memory_mib":256,"shard_time_ms":60000},"needs":{"native":false,"trusted":false,"simd":false},"trust":"private","labels":{"team":"old"}},"program":"c5c271cd9b3f62c7a90ac806eed3a29070c071e662d839c478ca47c1e4a8ea42","owner":"dev","submitted_ms":1795296192593,"source":{"Range":{"start":0,"step":1}},"picture":false}');
CREATE TABLE keys (
        owner TEXT NOT NULL, key TEXT NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (owner, key)
    ) WITHOUT ROWID;
INSERT INTO "keys" VALUES('dev','done',1882504495802244656);
INSERT INTO "keys" VALUES('dev','first',1882504500445218272);
CREATE TABLE programs (
        hash BLOB PRIMARY KEY, length INTEGER NOT NULL, description TEXT NOT NULL) WITHOUT ROWID;
INSERT INTO "programs" VALUES(X'1A4EB9FC90200A354557AC648189002C0FE3EE8E7D5075120E105C95A61ADAEB',228387,'{"name":"rust-core","version":"0.1.0","kind":"kernel","entries":[{"name":"mandelbrot","title":"Mandelbrot picture","about":"The escape counts of one tile, row by row, each an unsigned 16-bit number, little-endian.","item":{"name":"","type":"integer","about":"tile number, row by row from the top left","min":0.0,"required":false},"params":[{"name":"width","type":"integer","about":"Width of the picture in pixels.","default":1024,"min":1.0,"max":65536.0,"required":false},{"name":"height","type":"integer","about":"Height of the picture in pixels.","default":1024,"min":1.0,"max":65536.0,"required":false},{"name":"center_x","type":"number","about":"Real part of the point in the middle.","default":-0.5,"min":-4.0,"max":4.0,"required":false},{"name":"center_y","type":"number","about":"Imaginary part of the point in the middle; up is positive.","default":0.0,"min":-4.0,"max":4.0,"required":false},{"name":"span","type":"number","about":"Width of the view in the complex plane.","default":3.0,"min":1e-15,"max":100.0,"required":false},{"name":"iterations_max","type":"integer","about":"Steps after which a point counts as inside.","default":1000,"min":1.0,"max":65535.0,"required":false},{"name":"tile","type":"integer","about":"Side of a tile in pixels.","default":64,"min":1.0,"max":1024.0,"required":false}],"output":"bytes","picture":"tiles"},{"name":"montecarlo","title":"Option price by Monte Carlo","about":"The sums of a block of simulated paths, from which price, standard error and Greeks follow.","item":{"name":"","type":"integer","about":"number of a block of paths","min":0.0,"required":false},"params":[{"name":"spot","type":"number","about":"Price of the share today.","default":100.0,"min":1e-9,"max":1000000000000.0,"required":false},{"name":"strike","type":"number","about":"Price at which the option lets one buy or sell.","default":100.0,"min":1e-9,"max":1000000000000.0,"required":false},{"name":"rate","type":"number","about":"Interest a year without risk, continuously compounded: 0.05 is 5 %.","default":0.05,"min":-1.0,"max":10.0,"required":false},{"name":"volatility","type":"number","about":"Volatility a year: 0.2 is 20 %.","default":0.2,"min":1e-6,"max":10.0,"required":false},{"name":"maturity_years","type":"number","about":"Years until the option ends.","default":1.0,"min":1e-6,"max":100.0,"required":false},{"name":"kind","type":"choice","about":"Whether it lets one buy (call) or sell (put).","default":"call","required":false,"choices":["call","put"]},{"name":"paths_per_item","type":"integer","about":"Paths in a block.","default":100000,"min":1.0,"max":100000000.0,"required":false},{"name":"seed","type":"integer","about":"Another seed gives other paths.","default":0,"min":0.0,"required":false}],"output":"json"},{"name":"null","title":"Nothing","about":"Does nothing: every output is empty.","item":{"name":"","type":"integer","about":"any number","required":false},"params":[],"output":"bytes"},{"name":"align","title":"Sequence alignment","about":"The best local alignment of the item''s sequences with the references.","item":{"name":"","type":"text","about":"a query sequence, bare or as FASTA","required":false},"params":[{"name":"reference","type":"text","about":"The references: FASTA records, or one bare sequence.","required":true},{"name":"alphabet","type":"choice","about":"What the letters are: dna scores by match and mismatch, protein by BLOSUM62.","default":"dna","required":false,"choices":["dna","protein"]},{"name":"match","type":"integer","about":"Score of two equal bases.","default":2,"min":1.0,"max":100.0,"required":false},{"name":"mismatch","type":"integer","about":"Score of two different bases.","default":-3,"min":-100.0,"max":0.0,"required":false},{"name":"gap_open","type":"integer","about":"What a gap costs before its first letter.","default":5,"min":0.0,"max":1000.0,"required":false},{"name":"gap_extend","type":"integer","about":"What each letter of a gap costs.","default":2,"min":1.0,"max":1000.0,"required":false}],"output":"json"},{"name":"mersenne","title":"Mersenne prime test","about":"Whether 2 to the power of the item, minus 1, is prime, by the Lucas-Lehmer test.","item":{"name":"","type":"integer","about":"exponent","min":1.0,"max":100000.0,"required":false},"params":[],"output":"json"}],"module":{"memory_bytes_min":327680,"memory_bytes_max":268435456,"features":["bulk memory","saturating conversions","sign extension","SIMD"],"notes":["NaNs whose bits could be seen are made canonical at 42 places in 7 functions","Calls are counted in 108 of 234 functions; recursion deeper than 400 KiB of stack traps"]}}');
INSERT INTO "programs" VALUES(X'C5C271CD9B3F62C7A90AC806EED3A29070C071E662D839C478CA47C1E4A8EA42',580,'{"name":"slow","version":"","kind":"script","entries":[{"name":"default","title":"","about":"","item":{"name":"","type":"json","about":"","required":false},"params":null,"output":"json"}]}');
INSERT INTO "programs" VALUES(X'D3AC79574446DC34477F4268B16C506144268EC46EECF40294BF2F0B92B43DD8',1090756,'{"name":"script-engine","version":"0.1.0","kind":"kernel","entries":[{"name":"run","title":"Run a script","about":"Calls a function of a JavaScript module for every item.","item":null,"params":[{"name":"source","type":"text","about":"The module''s text.","required":true},{"name":"entry","type":"text","about":"The export to call.","default":"default","required":false},{"name":"params","type":"json","about":"What the function gets beside the item.","required":false},{"name":"file","type":"text","about":"The module''s name in errors.","default":"script.js","required":false},{"name":"reduce","type":"boolean","about":"Fold an item, which is a list, with the function.","default":false,"required":false}],"output":"json"}],"module":{"memory_bytes_min":2097152,"memory_bytes_max":1073741824,"features":["bulk memory","saturating conversions","sign extension"],"notes":["NaNs whose bits could be seen are made canonical at 382 places in 70 functions","Calls are counted in 884 of 1281 functions; recursion deeper than 400 KiB of stack traps"]}}');
CREATE TABLE runs (
        id INTEGER PRIMARY KEY, place INTEGER NOT NULL, count INTEGER NOT NULL,
        lengths, data BLOB NOT NULL);
INSERT INTO "runs" VALUES(4294967297,4294967296,1,10,X'06000000373936393536');
INSERT INTO "runs" VALUES(4294967298,4294967297,1,9,X'050000003535313835');
INSERT INTO "runs" VALUES(4294967299,4294967298,1,10,X'06000000333133343137');
INSERT INTO "runs" VALUES(8589934593,8589934592,1,10,X'06000000373936393536');
INSERT INTO "runs" VALUES(8589934594,8589934593,1,9,X'050000003535313835');
INSERT INTO "runs" VALUES(8589934595,8589934594,1,10,X'06000000333133343137');
INSERT INTO "runs" VALUES(8589934596,8589934595,1,10,X'06000000353731363439');
INSERT INTO "runs" VALUES(8589934597,8589934596,1,10,X'06000000383239383831');
INSERT INTO "runs" VALUES(8589934598,8589934597,1,9,X'050000003838313130');
INSERT INTO "runs" VALUES(8589934599,8589934598,1,10,X'06000000333436333432');
INSERT INTO "runs" VALUES(8589934600,8589934599,1,10,X'06000000363034353734');
INSERT INTO "runs" VALUES(8589934601,8589934600,1,10,X'06000000383632383036');
INSERT INTO "runs" VALUES(8589934602,8589934601,1,10,X'06000000313231303335');
INSERT INTO "runs" VALUES(8589934603,8589934602,1,10,X'06000000333739323637');
INSERT INTO "runs" VALUES(8589934604,8589934603,1,10,X'06000000363337343939');
INSERT INTO "runs" VALUES(8589934605,8589934604,1,10,X'06000000383935373331');
INSERT INTO "runs" VALUES(8589934606,8589934605,1,10,X'06000000313533393630');
INSERT INTO "runs" VALUES(8589934607,8589934606,1,10,X'06000000343132313932');
INSERT INTO "runs" VALUES(8589934608,8589934607,1,10,X'06000000363730343234');
INSERT INTO "runs" VALUES(8589934609,8589934608,1,10,X'06000000393238363536');
CREATE TABLE stages (
        number INTEGER PRIMARY KEY, job INTEGER NOT NULL, stage INTEGER NOT NULL,
        items INTEGER NOT NULL, items_closed INTEGER NOT NULL, items_cut INTEGER NOT NULL,
        shards_cut INTEGER NOT NULL, shards_accepted INTEGER NOT NULL,
        items_accepted INTEGER NOT NULL, shards_failed INTEGER NOT NULL,
        shards_skipped INTEGER NOT NULL, busy_us INTEGER NOT NULL,
        runs INTEGER NOT NULL, segments BLOB NOT NULL, UNIQUE (job, stage));
INSERT INTO "stages" VALUES(1,1882504495802244656,0,3,1,3,3,3,3,0,0,48065,3,X'01000001');
INSERT INTO "stages" VALUES(2,1882504500445218272,0,60,1,60,60,17,17,0,0,192218,17,X'01000001');
CREATE TABLE tokens (id TEXT PRIMARY KEY, info TEXT NOT NULL, secret BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO "tokens" VALUES('00f15501d1af5835','{"id":"00f15501d1af5835","name":"dev","scopes":["submit","work","trusted","read","admin"],"created_ms":1795296186720,"expires_ms":null}',X'D7E02934B7803593F0CD992BD986ED5DC6F4CD3A7CBE233FA5ACDA79EB2359A0');
CREATE INDEX jobs_by_state ON jobs (state);
CREATE INDEX runs_by_place ON runs (place, count);
COMMIT;
