"""What is wrong with one member, or with the way to it: every URL, its certificate, rights, guard, record.

Import from the modules: ``member`` (``examine``), ``results`` (``Result``, ``MemberCheck``). Nothing here
writes to a member: the only POSTs are reviews of one's own identity and rights.
"""
