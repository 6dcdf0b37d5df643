"""Writes a Ninja file: variables, rules and edges, in the order in which they are asked for."""


def escape(path):
    """A path as it must stand in a build line."""
    return path.replace('$', '$$').replace(' ', '$ ').replace(':', '$:')


class NinjaFile:
    """Collects lines; `text()` is the whole file. Knows no tool and no flag."""

    WIDTH = 98

    def __init__(self):
        self.lines = []
        self.rules = set()
        self.made = set()

    def note(self, text):
        self.lines += ['', '# ' + text]

    def let(self, name, value, indent=''):
        self._wrapped(f'{indent}{name} =', str(value).split(' '), indent + '    ')

    def rule(self, name, command, **variables):
        assert name not in self.rules, f'rule {name} twice'
        self.rules.add(name)
        self.lines += ['', f'rule {name}']
        for key, value in dict(command=command, **variables).items():
            self.let(key, value, '  ')

    def edge(self, outputs, rule, inputs=(), implicit=(), order_only=(), **variables):
        """One build line. `outputs` may be one path or several."""
        outputs = [outputs] if isinstance(outputs, str) else list(outputs)
        assert rule == 'phony' or rule in self.rules, f'no rule {rule}'
        for output in outputs:
            assert output not in self.made, f'{output} is made twice'
            self.made.add(output)
        words = [escape(path) for path in inputs]
        if implicit:
            words += ['|'] + [escape(path) for path in implicit]
        if order_only:
            words += ['||'] + [escape(path) for path in order_only]
        head = 'build ' + ' '.join(map(escape, outputs)) + ': ' + rule
        self._wrapped(head, words, '    ')
        for key, value in variables.items():
            self.let(key, value, '  ')

    def default(self, *targets):
        self.lines += ['', 'default ' + ' '.join(map(escape, targets))]

    def text(self):
        return '\n'.join(self.lines).lstrip('\n') + '\n'

    def _wrapped(self, head, words, indent):
        """`head words...`, broken with `$` before a line gets too wide."""
        line = head
        for word in words:
            if len(line) + 1 + len(word) > self.WIDTH and line.strip():
                self.lines.append(line + ' $')
                line = indent + word
            else:
                line += ' ' + word
        self.lines.append(line.rstrip())
