"""The moderators' room: the core's side of `contract.room`, whatever network it is on.

`door` stores what comes and offers what is to be said, durably and once. `desk` carries out:
`commands` is the table, `parser` reads, `roles` says who may, `acts` and `asking` do, `prompts`
are questions that one gesture decides, `notices` tells what happened by itself. Nothing here
sends; nothing here trusts a display name.
"""
