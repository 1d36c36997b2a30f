"""The guide: what a bundle says of itself to somebody who has never seen usher.

Rules:
1. Every command in it is run by a test, as it stands, in a bundle.
2. It needs openssl, sha256sum and Python's own library; the key comes from elsewhere, never from the bundle.
"""

from __future__ import annotations

from typing import Final

GUIDE: Final = """# A bundle of usher's history

Usher provisions servers and writes down every step. This directory holds a part of what it wrote, so that you can check
it without usher and without trusting the machine that wrote it. You need the **public key** of the site's audit key,
which you have from the site itself, from before: as `audit-key.pem`, or 64 hexadecimal characters. The key in this
directory, `audit-key.pem`, is only here to be compared with yours.

| file | what it is |
|---|---|
| `bundle.json` | which journals, which rows, what they begin with, what is missing, how many nodes were in each state |
| `history.jsonl` | what happened to each server, a line a step: `envelope` (the bound text), `hash`, `payload` |
| `journal.jsonl` | what concerned the whole fleet, in the same form |
| `checkpoints.jsonl` | where both stood, signed by the audit key, from time to time |
| `operators.jsonl` | what people did, with their names and reasons |
| `policies.jsonl` | the policies that rows name: `hash` is the beginning of the SHA-256 of `document` |
| `table.json`, `machine.mmd` | the rules that were in force, each with its sentence, and their picture (Mermaid) |
| `SHA256SUMS`, `SHA256SUMS.sig` | the digests of these files, and the audit key's signature of that list |
| `checkpoint-*.json`, `.sig` | the newest checkpoint of each journal: the text that was signed, and the signature |

An envelope is a JSON array: {columns}. In `journal.jsonl`: {fleet_columns}. Times are milliseconds
since 1970. `node` is the server's name, `name` the rule that applied, `source` and `target` its state before and after.

## Check it

**1. Nothing was changed, added or left out since it was written** (with your key; made of 64 characters, see the end):

```sh
openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig
sha256sum --check --quiet SHA256SUMS
```

**2. The checkpoints are the site's**, one for each journal:

```sh
for text in checkpoint-*.json; do
  openssl pkeyutl -verify -pubin -inkey "$KEY" -rawin -in "$text" -sigfile "${{text%.json}}.sig"
done
```

**3. Every row is bound to the one before it, and the checkpoints to the rows**:

```sh
python3 - <<'END'
import hashlib, json
bundle = json.load(open("bundle.json"))
links = {{}}
for name, of in (("history", "history"), ("journal", "fleet")):
    heads = {{each["journal"]: bytes.fromhex(each[of]["previous"]) for each in bundle["journals"]}}
    for line in open(name + ".jsonl", encoding="utf-8"):
        row = json.loads(line)
        envelope, journal = json.loads(row["envelope"]), row["journal"]
        heads[journal] = hashlib.sha256(heads[journal] + row["envelope"].encode()).digest()
        assert heads[journal].hex() == row["hash"], ("changed, removed, inserted or moved", name, envelope)
        if row["payload"] is not None:
            named = envelope[13 if name == "history" else 7]
            assert hashlib.sha256(row["payload"].encode()).hexdigest() == named, ("payload changed", name, envelope)
        links[journal, name, envelope[0]] = row["hash"]
for each in bundle["journals"]:
    said = json.load(open("checkpoint-" + each["journal"] + ".json"))
    for name in ("history", "journal"):
        held = links.get((each["journal"], name, said[name]["position"]), said[name]["hash"])
        assert held == said[name]["hash"], ("not what was signed", name, said[name])
print("every row verifies")
END
```

If all three succeed, every row up to the newest checkpoint is what usher wrote before that checkpoint was made. Rows
that are marked `only_for_the_proof` lie outside the time that was asked for, between it and that checkpoint.
`usher audit verify --bundle . --key KEY` does all of this at once, and checks every checkpoint.

Read it, for example who did what, and what happened to one server:

```sh
python3 -c 'import json; [print(*list(json.loads(line).values())) for line in open("operators.jsonl")]'
grep -F web1.example.net history.jsonl
```

A key of 64 hexadecimal characters becomes a file for openssl like this:

```sh
printf '302a300506032b6570032100%s' "$HEX" | python3 -c 'import sys; sys.stdout.buffer.write(
  bytes.fromhex(sys.stdin.read()))' | openssl pkey -pubin -inform DER -out ../key.pem
```

## What it proves, and what it does not

Whoever owns the machine of usher has the key too, and can write another history with it, but not one that agrees with
a checkpoint that left the machine before. So compare the checkpoints here with those that you were given at the time
(`audit.checkpoint_command`): `usher audit verify --checkpoints` does that. A bundle proves nothing about what was never
written down, and its times are those of the machine's clock.
"""
