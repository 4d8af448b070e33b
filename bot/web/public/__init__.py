"""The public page: what somebody reads who was told of the number, in seven languages.

It shows offered addresses, whether replies go out, and figures that are whole months old. It
knows nothing about anybody and asks nothing of anybody: no cookie, no script that it needs, no
other host. `site` makes the files, `serve` answers with them from memory, `export` writes them
into a folder for any host.
"""
