"""The moderators' side without any room: values in, values out.

`holding` pauses and releases, `people` blocks, `funds` counts money, `pool` keeps our own
addresses, `story` and `status` tell, `render` makes text of what they return; `api` serves the
demo's page. Every act is a sync function of one transaction and appends an event that says who
did it. Nothing here sends, and nothing here shows an address.
"""
