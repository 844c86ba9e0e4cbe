"""What the oracle knows of accounts: whether the answers of JMAP are those of prefixes of the commits.

A state is a mod-sequence of its account, and each commit takes some: those above the account's HIGHESTMODSEQ before it,
up to that after it. So the answer from state A to state B is of the commits that took those above A, and the last of
them is the one that took B. Of each object that these have changed we know how it was before the first of them, and
after the last: hence whether it was created, updated or destroyed.
"""
import collections

Answer = collections.namedtuple('Answer', 'who kind account since state created updated destroyed')
LISTS = ('created', 'updated', 'destroyed')


class Accounts:
    def __init__(self):
        self.members = collections.defaultdict(dict)    # of an account and Email: (mailbox, UID): (flags, Thread)
        self.threads = collections.defaultdict(set)     # Emails of an account and Thread
        self.boxes = {}                                 # mailboxes: (name, UIDVALIDITY, HIGHESTMODSEQ)
        self.box_account = {}
        self.commits = collections.defaultdict(list)    # of an account: (old, new HIGHESTMODSEQ, {object: (was, is)})
        self.answers = []

    def add_answer(self, fields):
        who, kind, account, since, state, *lists = fields
        self.answers.append(Answer(who, kind, account, int(since.split('.')[1], 16), int(state.split('.')[1], 16),
                                   *(set(filter(None, ids.strip('{}').split(','))) for ids in lists)))

    def email(self, of):
        return frozenset(self.members[of].items())

    def thread(self, of):
        return frozenset(self.threads[of])

    def touch(self, before, kind, of, look):
        before.setdefault((kind, of), look(of))

    def commit(self, messages, boxes, raised):
        """messages: (before, after) of each that has changed, as (mailbox, UID, Email, flags, Thread), or None;
        boxes: {mailbox: as now, or None}; raised: {account: (old, new HIGHESTMODSEQ)}"""
        before = {}
        emails = set()
        for pair in messages:
            for message in filter(None, pair):
                of = self.box_account.get(message[0]), message[2]
                emails.add(of)
                self.touch(before, 'email', of, self.email)
        for of in emails:
            for _, thread in self.members[of].values():
                self.touch(before, 'thread', (of[0], thread), self.thread)
        for old, new in messages:
            if old:
                self.members[self.box_account.get(old[0]), old[2]].pop(old[:2], None)
        for old, new in messages:
            if new:
                self.members[self.box_account.get(new[0]), new[2]][new[:2]] = new[3:]
        for of in emails:
            for _, thread in self.members[of].values():
                self.touch(before, 'thread', (of[0], thread), self.thread)
        for kind, of in before:
            if kind == 'thread':
                self.threads[of] = {email for email in self.threads[of] if (of[0], email) not in emails}
        for of in emails:
            for _, thread in self.members[of].values():
                self.threads[of[0], thread].add(of[1])
        changed = collections.defaultdict(dict)
        for (kind, of), was in before.items():
            now = (self.email if kind == 'email' else self.thread)(of)
            if was != now:
                changed[of[0]][kind, of[1]] = was, now
        for number, now in boxes.items():
            was = self.boxes.get(number)
            if was != now:
                changed[self.box_account.get(number)]['mailbox', number] = was, now
            self.boxes[number] = now
        for account, objects in changed.items():
            old, new = raised.get(account, (None, None))
            if new is not None:
                self.commits[account].append((old, new, objects))

    def judge(self, complain):
        for answer in self.answers:
            objects = {}
            for old, new, changes in self.commits[answer.account]:
                if answer.since > old or answer.state <= old:
                    continue
                for (kind, name), (was, now) in changes.items():
                    if kind == answer.kind:
                        objects[name] = objects[name][0] if name in objects else was, now
            for name in objects.keys() | answer.created | answer.updated | answer.destroyed:
                was, now = objects.get(name, (None, None))
                told = [which for which in LISTS if name in getattr(answer, which)]
                right = ([['created'], []][not now] if not was else ['destroyed'] if not now else ['updated'])
                if told == right:
                    continue
                # What came and went may be destroyed, and what changed and changed back be updated
                if (not was and not now and told == ['destroyed']) or (was and was == now and not told) or \
                        (name not in objects and told == ['updated']):
                    continue
                complain(f'account {answer.account}, {answer.who}, from {answer.since:x} to {answer.state:x}: '
                         f'{answer.kind} {name} is told as {told}, and should be {right}')
