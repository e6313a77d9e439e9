"""Random clusters of 2 to 4 nodes, and how far two crm_simulate programs agree about them.

compare OURS THEIRS COUNT [FIRST_SEED] [DIRECTORY]   prints percentages; what differs is kept in DIRECTORY
show SEED                                            prints one cluster
KIND=unusual in the environment: with what is seldom configured
"""
import hashlib
import os
import random
import subprocess
import sys
import tempfile


def digest(timeout=None):
    text = "" if timeout is None else f' CRM_meta_timeout="{timeout}"'
    return hashlib.md5(f" <parameters{text}/>\n".encode()).hexdigest()


def pairs(prefix, values):
    return "".join(f'<nvpair id="{prefix}-{name}" name="{name}" value="{value}"/>' for name, value in values.items())


class Cluster:
    """One cluster: everything about it follows from the seed."""

    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.nodes = [f"node{i + 1}" for i in range(self.dice.randint(2, 4))]
        self.names = []  # of primitives
        self.top = []  # (id, kind, promotable, members)
        self.monitors = {}
        self.call = 1

    def chance(self, percent):
        return self.dice.randrange(100) < percent

    def pick(self, *choices):
        return self.dice.choice(choices)

    # ---- resources ----

    def meta(self, prefix, clone=False):
        values = {}
        if self.chance(30):
            values["resource-stickiness"] = self.pick("0", "1", "50", "100", "INFINITY")
        if self.chance(25):
            values["migration-threshold"] = self.pick("1", "2", "3")
        if self.chance(10):
            values["priority"] = self.pick("1", "5", "10")
        if self.chance(7):
            values["target-role"] = self.pick("Stopped", "Started") if not clone else self.pick("Stopped", "Slave", "Started")
        if self.chance(5):
            values["is-managed"] = "false"
        if self.chance(3):
            values["maintenance"] = "true"
        if self.chance(8):
            values["allow-migrate"] = "true"
        if self.chance(8):
            values["multiple-active"] = self.pick("block", "stop_only", "stop_start", "stop_unexpected")
        if self.chance(8):
            values["failure-timeout"] = self.pick("30s", "1h")
        if self.chance(5):
            values["critical"] = "false"
        return f'<meta_attributes id="{prefix}-meta">{pairs(prefix + "-meta", values)}</meta_attributes>'

    def primitive(self, promotable=False):
        name = f"r{len(self.names) + 1}"
        self.names.append(name)
        operations = ""
        self.monitors[name] = []
        if self.chance(60) or promotable:
            roles = [("Promoted", 10), ("Unpromoted", 11)] if promotable else [(None, 10)]
            for role, seconds in roles:
                word = f' role="{role}"' if role else ""
                fail = ""
                if self.chance(25):
                    fail = f' on-fail="{self.pick("restart", "block", "stop", "ignore", "standby", "fence")}"'
                if role == "Promoted" and self.chance(20):
                    fail = ' on-fail="demote"'
                operations += f'<op id="{name}-m{seconds}" name="monitor" interval="{seconds}s"{word}{fail}/>'
                self.monitors[name].append((role, seconds * 1000))
        if self.chance(15):
            operations += f'<op id="{name}-stop" name="stop" interval="0" on-fail="{self.pick("block", "fence", "ignore")}"/>'
        return (f'<primitive id="{name}" class="ocf" provider="pacemaker" type="Dummy">{self.meta(name)}'
                f'<operations>{operations}</operations></primitive>'), name

    def resource(self):
        kind = self.pick("primitive", "primitive", "primitive", "group", "group", "clone", "promotable", "clone-group")
        number = len(self.top) + 1
        if kind == "primitive":
            xml, name = self.primitive()
            self.top.append((name, kind, False, [name]))
            return xml
        members = []
        inner = ""
        for _ in range(self.dice.randint(2, 4) if "group" in kind else 1):
            xml, name = self.primitive(kind == "promotable")
            inner += xml
            members.append(name)
        if kind == "group":
            self.top.append((f"g{number}", kind, False, members))
            return f'<group id="g{number}">{self.meta(f"g{number}")}{inner}</group>'
        if kind == "clone-group":
            inner = f'<group id="cg{number}">{inner}</group>'
        name = f"c{number}"
        values = {}
        if self.chance(40):
            values["interleave"] = "true"
        if self.chance(20):
            values["clone-max"] = str(self.dice.randint(1, 4))
        if self.chance(10):
            values["ordered"] = "true"
        if self.chance(35):
            values["notify"] = "true"
        if kind == "clone" and self.chance(15):
            values["globally-unique"] = "true"
            values["clone-node-max"] = str(self.dice.randint(1, 2))
        if kind == "promotable":
            values["promotable"] = "true"
            if self.chance(15):
                values["promoted-max"] = "2"
        self.top.append((name, "clone", kind == "promotable", members))
        return (f'<clone id="{name}"><meta_attributes id="{name}-more">{pairs(name + "-more", values)}</meta_attributes>'
                f'{self.meta(name, True)}{inner}</clone>')

    # ---- constraints ----

    def location(self, number):
        name, kind, promotable, _ = self.dice.choice(self.top)
        role = ' role="Promoted"' if promotable and self.chance(40) else ""
        if self.chance(30):
            score = self.pick("-INFINITY", "INFINITY", "100", "-100")
            test = self.pick(
                '<expression id="e{0}" attribute="pingd" operation="not_defined"/>'
                '<expression id="f{0}" attribute="pingd" operation="lt" value="100"/>',
                '<expression id="e{0}" attribute="#uname" operation="eq" value="node1"/>',
                '<expression id="e{0}" attribute="rack" operation="ne" value="a"/>').format(number)
            either = self.pick("and", "or")
            return (f'<rsc_location id="l{number}" rsc="{name}"><rule id="lr{number}" score="{score}" '
                    f'boolean-op="{either}"{role}>{test}</rule></rsc_location>')
        score = self.pick("10", "50", "100", "200", "-50", "INFINITY", "-INFINITY")
        return f'<rsc_location id="l{number}" rsc="{name}" node="{self.dice.choice(self.nodes)}" score="{score}"{role}/>'

    def two(self):
        return self.dice.sample(self.top, 2)

    def colocation(self, number):
        one, other = self.two()
        score = self.pick("INFINITY", "INFINITY", "-INFINITY", "100", "-100")
        role = ' with-rsc-role="Promoted"' if other[2] and self.chance(60) else ""
        if one[2] and self.chance(20):
            role += ' rsc-role="Promoted"'
        return f'<rsc_colocation id="co{number}" rsc="{one[0]}" with-rsc="{other[0]}" score="{score}"{role}/>'

    def order(self, number):
        one, other = self.two()
        kind = self.pick("Mandatory", "Mandatory", "Optional", "Serialize")
        action = ' first-action="promote" then-action="start"' if one[2] and self.chance(60) else ""
        symmetric = ' symmetrical="false"' if self.chance(15) else ""
        return f'<rsc_order id="or{number}" first="{one[0]}" then="{other[0]}" kind="{kind}"{action}{symmetric}/>'

    def resource_set(self, number):
        members = self.dice.sample([entry[0] for entry in self.top], self.dice.randint(2, min(4, len(self.top))))
        references = "".join(f'<resource_ref id="{member}"/>' for member in members)
        sequential = self.pick("", ' sequential="false"', ' sequential="true"')
        inner = f'<resource_set id="set{number}"{sequential}>{references}</resource_set>'
        if self.chance(50):
            return f'<rsc_colocation id="cs{number}" score="{self.pick("INFINITY", "100")}">{inner}</rsc_colocation>'
        return f'<rsc_order id="os{number}" kind="{self.pick("Mandatory", "Optional")}">{inner}</rsc_order>'

    def constraints(self):
        text = ""
        for number in range(self.dice.randint(0, 5)):
            kind = self.pick("location", "location", "colocation", "order", "set")
            if kind == "location":
                text += self.location(number)
            elif len(self.top) >= 2:
                text += {"colocation": self.colocation, "order": self.order, "set": self.resource_set}[kind](number)
        return text

    # ---- status ----

    def record(self, name, task, result, expected=0, interval=0):
        self.call += 1
        key = f"{self.call}:1:{expected}:00000000-0000-0000-0000-000000000000"
        failed = result != expected
        ident = f"{name}_last_failure_0" if failed else (f"{name}_last_0" if interval == 0 else f"{name}_{task}_{interval}")
        return (f'<lrm_rsc_op id="{ident}" operation_key="{name}_{task}_{interval}" operation="{task}" '
                f'crm_feature_set="3.16.1" transition-key="{key}" transition-magic="0:{result};{key}" '
                f'call-id="{self.call}" rc-code="{result}" op-status="0" interval="{interval}" '
                f'last-rc-change="999990" exec-time="10" queue-time="0" '
                f'op-digest="{digest(20000 if interval else None)}"/>')

    def active(self, name, promoted, failures):
        text = self.record(name, "start", 0)
        monitors = [m for m in self.monitors[name] if (m[0] == "Promoted") == promoted]
        if promoted:
            text = self.record(name, "promote", 0)
        for _, interval in monitors:
            expected = 8 if promoted else 0
            if self.chance(12):
                failures[f"fail-count-{name}#monitor_{interval}"] = str(self.dice.randint(1, 3))
                failures[f"last-failure-{name}#monitor_{interval}"] = "999990"
                text += self.record(name, "monitor", self.pick(1, 7, 7, 5, 9 if promoted else 1), expected, interval)
            else:
                text += self.record(name, "monitor", expected, expected, interval)
        if self.chance(3):
            failures[f"fail-count-{name}#stop_0"] = "INFINITY"
            text += self.record(name, "stop", 1)
        return text

    def inactive(self, name, failures):
        if self.chance(6):
            failures[f"fail-count-{name}#start_0"] = "INFINITY"
            failures[f"last-failure-{name}#start_0"] = "999990"
            return self.record(name, "start", self.pick(1, 5, 6)) + self.record(name, "stop", 0)
        if self.chance(30):
            return self.record(name, "stop", 0)
        return self.record(name, "monitor", self.pick(7, 7, 7, 7, 7, 7, 7, 5), 7)

    def histories(self):
        """Where everything runs: mostly as it should, sometimes not."""
        started = self.chance(80)
        text = {node: "" for node in self.nodes}
        attributes = {node: {} for node in self.nodes}
        if not started:
            return text, attributes
        for top, kind, promotable, members in self.top:
            if self.chance(10):
                continue  # new
            home = self.dice.choice(self.nodes)
            chief = self.dice.choice(self.nodes)
            for name in members:
                twice = self.chance(2)
                runs = not self.chance(10)
                for node in self.nodes:
                    if self.chance(3):
                        continue  # not probed yet
                    here = runs and (kind == "clone" and not self.chance(10) or node == home or twice and self.chance(50))
                    failures = attributes[node]
                    promoted = promotable and here and node == chief
                    body = self.active(name, promoted, failures) if here else self.inactive(name, failures)
                    text[node] += f'<lrm_resource id="{name}" class="ocf" provider="pacemaker" type="Dummy">{body}</lrm_resource>'
                    if promotable and here and not self.chance(10):
                        attributes[node][f"master-{name}"] = self.pick("5", "10", "100", "10000", "-INFINITY")
        return text, attributes

    def node_state(self, number, node, history, attributes):
        kind = self.dice.randrange(100)
        state = {"in_ccm": "true", "crmd": "online", "join": "member", "expected": "member"}
        if kind < 6:  # gone in order
            state = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "down"}
            history, attributes = "", {}
        elif kind < 11:  # lost
            state = {"in_ccm": "false", "crmd": "offline", "join": "down", "expected": "member"}
        elif kind < 13:
            state["join"] = "pending"
        elif kind < 15:
            attributes = dict(attributes, shutdown="999999")
        if self.chance(70):
            attributes = dict(attributes, pingd=self.pick("100", "100", "100", "0"))
        words = " ".join(f'{key}="{value}"' for key, value in state.items())
        return (f'<node_state id="{number}" uname="{node}" {words}><transient_attributes id="{number}">'
                f'<instance_attributes id="status-{number}">{pairs(f"s{number}", attributes)}</instance_attributes>'
                f'</transient_attributes><lrm id="{number}"><lrm_resources>{history}</lrm_resources></lrm></node_state>')

    def text(self):
        fencing = self.chance(35)
        options = {"stonith-enabled": "true" if fencing else "false"}
        if self.chance(50):
            options["no-quorum-policy"] = self.pick("ignore", "stop", "freeze", "demote")
        if self.chance(6):
            options["symmetric-cluster"] = "false"
        if self.chance(4):
            options["maintenance-mode"] = "true"
        if self.chance(3):
            options["stop-all-resources"] = "true"
        if self.chance(10):
            options["start-failure-is-fatal"] = "false"
        nodes = ""
        for number, node in enumerate(self.nodes, 1):
            values = {}
            if self.chance(8):
                values["standby"] = "on"
            if self.chance(4):
                values["maintenance"] = "on"
            if self.chance(50):
                values["rack"] = self.pick("a", "b")
            nodes += (f'<node id="{number}" uname="{node}"><instance_attributes id="n{number}">'
                      f'{pairs(f"n{number}", values)}</instance_attributes></node>')
        resources = "".join(self.resource() for _ in range(self.dice.randint(1, 6)))
        if fencing and self.chance(90):
            resources += '<primitive id="fence" class="stonith" type="fence_dummy"/>'
        constraints = self.constraints()
        defaults = {"resource-stickiness": self.pick("1", "100")} if self.chance(40) else {}
        history, attributes = self.histories()
        states = "".join(self.node_state(number, node, history[node], attributes[node])
                         for number, node in enumerate(self.nodes, 1) if not self.chance(2))
        quorum = "0" if self.chance(12) else "1"
        return (f'<cib crm_feature_set="3.16.1" validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0" '
                f'have-quorum="{quorum}" dc-uuid="1" execution-date="1000000"><configuration><crm_config><cluster_property_set '
                f'id="cib-bootstrap-options">{pairs("o", options)}</cluster_property_set></crm_config><nodes>{nodes}</nodes>'
                f'<resources>{resources}</resources><constraints>{constraints}</constraints><rsc_defaults>'
                f'<meta_attributes id="d">{pairs("d", defaults)}</meta_attributes></rsc_defaults></configuration>'
                f'<status>{states}</status></cib>\n')


class Unusual(Cluster):
    """The same clusters with what is seldom configured: one line of dice more for each of it."""

    def __init__(self, seed):
        super().__init__(seed)
        self.odd = random.Random(seed * 7919)
        self.utilization = self.luck(25)
        self.ghosts = 0

    def luck(self, percent):
        return self.odd.randrange(100) < percent

    def any_of(self, *choices):
        return self.odd.choice(choices)

    def meta(self, prefix, clone=False):
        text = super().meta(prefix, clone)
        values = {}
        if self.luck(8):
            values["requires"] = self.any_of("nothing", "quorum", "fencing")
        if self.luck(4) and clone:
            values["clone-min"] = "2"
        if self.luck(4) and prefix.startswith("g"):
            values[self.any_of("ordered", "collocated")] = "false"
        if values:
            text = text.replace("</meta_attributes>", pairs(prefix + "-odd", values) + "</meta_attributes>")
        return text

    def primitive(self, promotable=False):
        text, name = super().primitive(promotable)
        extra = ""
        if self.utilization:
            extra += f'<utilization id="{name}-u">{pairs(name + "-u", {"cpu": self.odd.randint(1, 4)})}</utilization>'
        if self.luck(6):
            extra += (f'<instance_attributes id="{name}-p">{pairs(name + "-p", {"fake": self.any_of("a", "b")})}'
                      '</instance_attributes>')
        text = text.replace("<operations>", extra + "<operations>", 1)
        if self.luck(6):
            text = text.replace("</operations>", f'<op id="{name}-start" name="start" interval="0" '
                                f'on-fail="{self.any_of("block", "stop", "standby", "ignore", "fence", "restart")}"/></operations>')
        if self.luck(5):
            text = text.replace("</operations>", f'<op id="{name}-idle" name="monitor" interval="33s" role="Stopped"/>'
                                '</operations>')
        if self.luck(4):
            text = text.replace('interval="10s"', 'interval="10s" enabled="false"')
        if self.luck(8) and not promotable:
            text = text.replace(f'<primitive id="{name}" class="ocf" provider="pacemaker" type="Dummy">',
                                f'<primitive id="{name}" template="model">')
        return text, name

    def odd_constraints(self):
        text = ""
        tops = [entry[0] for entry in self.top]
        if self.luck(25):
            name, _, promotable, _ = self.odd.choice(self.top)
            role = f' rsc-role="{self.any_of("Promoted", "Started", "Unpromoted")}"' if promotable and self.luck(60) else ""
            loss = self.any_of("", *(f' loss-policy="{policy}"' for policy in ("stop", "demote", "freeze", "fence")))
            text += f'<rsc_ticket id="t1" rsc="{name}" ticket="ticketA"{role}{loss}/>'
        if self.luck(25):
            date = self.any_of('<date_expression id="d1" operation="gt" start="1970-01-05"/>',
                               '<date_expression id="d1" operation="lt" end="1970-01-20"/>',
                               '<date_expression id="d1" operation="in_range" start="1970-01-05" end="1970-02-01"/>',
                               '<date_expression id="d1" operation="date_spec"><date_spec id="d2" hours="9-16" '
                               'weekdays="1-5"/></date_expression>',
                               '<date_expression id="d1" operation="in_range" start="1970-01-10"><duration id="d2" days="3"/>'
                               '</date_expression>')
            text += (f'<rsc_location id="ld" rsc="{self.odd.choice(tops)}"><rule id="ldr" '
                     f'score="{self.any_of("INFINITY", "-INFINITY", "500")}">{date}</rule></rsc_location>')
        if self.luck(15):
            text += (f'<rsc_location id="lx" rsc="{self.odd.choice(tops)}" node="{self.odd.choice(self.nodes)}" score="20" '
                     f'resource-discovery="{self.any_of("exclusive", "never", "always")}"/>')
        if self.luck(12):
            text += f'<rsc_location id="lp" rsc-pattern="^r[1-3]$" node="{self.odd.choice(self.nodes)}" score="30"/>'
        if self.luck(10):
            text += (f'<rsc_location id="la"  rsc="{self.odd.choice(tops)}"><rule id="lar" score-attribute="weight">'
                     '<expression id="lae" attribute="weight" operation="defined"/></rule></rsc_location>')
        if self.luck(12):
            text += f'<rsc_location id="lt" rsc="some" node="{self.odd.choice(self.nodes)}" score="{self.any_of("70", "-INFINITY")}"/>'
        if len(tops) < 2:
            return text
        one, other = self.odd.sample(tops, 2)
        if self.luck(12):
            text += (f'<rsc_colocation id="cx" rsc="{one}" with-rsc="{other}" score="{self.any_of("INFINITY", "50", "-INFINITY")}" '
                     f'{self.any_of("node-attribute=" + chr(34) + "rack" + chr(34), "influence=" + chr(34) + "false" + chr(34))}/>')
        if len(tops) >= 3 and self.luck(25):
            members = self.odd.sample(tops, min(len(tops), 4))
            cut = self.odd.randint(1, len(members) - 1)
            sets = ""
            for number, part in enumerate((members[:cut], members[cut:])):
                words = self.any_of("", ' sequential="false"', ' sequential="false" require-all="false"')
                sets += (f'<resource_set id="xs{number}"{words}>' +
                         "".join(f'<resource_ref id="{member}"/>' for member in part) + '</resource_set>')
            if self.luck(50):
                sets = sets.replace(' require-all="false"', "")
                text += f'<rsc_colocation id="xc" score="{self.any_of("INFINITY", "100", "-INFINITY")}">{sets}</rsc_colocation>'
            else:
                text += f'<rsc_order id="xo" kind="{self.any_of("Mandatory", "Optional")}">{sets}</rsc_order>'
        return text

    def record(self, name, task, result, expected=0, interval=0):
        text = super().record(name, task, result, expected, interval)
        if self.luck(2):
            text = text.replace(f'transition-magic="0:{result};', 'transition-magic="-1:193;').replace(
                f'rc-code="{result}" op-status="0"', 'rc-code="193" op-status="-1"')
        elif self.luck(2):
            text = text.replace('op-digest="', 'op-digest="f')
        return text

    def node_state(self, number, node, history, attributes):
        attributes = dict(attributes)
        if self.luck(6):
            attributes["#health-disk"] = self.any_of("red", "yellow", "green", "-10")
        if self.luck(2):
            attributes["standby"] = "on"
        if self.luck(2):
            attributes["terminate"] = "true"
        if self.luck(40):
            attributes["weight"] = self.any_of("5", "150", "-20")
        if self.luck(5):
            self.ghosts += 1
            ghost = f"ghost{self.any_of(1, 2)}"
            body = super().record(ghost, "start", 0)
            if self.luck(50):
                body += super().record(ghost, "monitor", 0, 0, 10000)
            history += f'<lrm_resource id="{ghost}" class="ocf" provider="pacemaker" type="Dummy">{body}</lrm_resource>'
        return super().node_state(number, node, history, attributes)

    def text(self):
        text = super().text()
        options = {}
        for name, percent, values in (
                ("placement-strategy", 90 if self.utilization else 0, ("utilization", "minimal", "balanced", "default")),
                ("node-health-strategy", 20, ("migrate-on-red", "only-green", "progressive", "custom")),
                ("stop-orphan-resources", 6, ("false",)), ("stop-orphan-actions", 6, ("false",)),
                ("enable-startup-probes", 5, ("false",)), ("shutdown-lock", 8, ("true",)),
                ("stonith-action", 6, ("off",)), ("startup-fencing", 8, ("false",)),
                ("concurrent-fencing", 8, ("true",)), ("remove-after-stop", 4, ("true",))):
            if self.luck(percent):
                options[name] = self.any_of(*values)
        text = text.replace("</cluster_property_set>", pairs("x", options) + "</cluster_property_set>")
        text = text.replace("<resources>", '<resources><template id="model" class="ocf" provider="pacemaker" type="Dummy">'
                            '<meta_attributes id="model-meta"><nvpair id="model-rs" name="resource-stickiness" value="7"/>'
                            '</meta_attributes><operations><op id="model-m" name="monitor" interval="10s"/></operations></template>')
        tagged = "".join(f'<obj_ref id="{entry[0]}"/>' for entry in self.odd.sample(self.top, min(2, len(self.top))))
        text = text.replace("<constraints>", f'<tags><tag id="some">{tagged}</tag></tags><constraints>')
        before, after = text.split("<tags>", 1)
        tags, after = after.split("</tags>", 1)
        text = before + after.replace("</configuration>", f"<tags>{tags}</tags></configuration>")
        text = text.replace("</constraints>", self.odd_constraints() + "</constraints>")
        if self.luck(15):
            text = text.replace("</rsc_defaults>", '</rsc_defaults><op_defaults><meta_attributes id="od">'
                                f'{pairs("od", {self.any_of("on-fail", "timeout"): self.any_of("block", "40s")})}'
                                '</meta_attributes></op_defaults>')
        if self.utilization:
            for number in range(1, len(self.nodes) + 1):
                text = text.replace(f'<instance_attributes id="n{number}">', f'<utilization id="u{number}">'
                                    f'{pairs(f"u{number}", {"cpu": self.odd.randint(3, 10)})}</utilization>'
                                    f'<instance_attributes id="n{number}">')
        if self.luck(70):
            granted = self.any_of("true", "false")
            standby = self.any_of("", "", ' standby="true"')
            text = text.replace("<status>", f'<status><tickets><ticket_state id="ticketA" granted="{granted}"{standby}/></tickets>')
        return text


KINDS = {"usual": Cluster, "unusual": Unusual}


def sections(output):
    found = {}
    lines = []
    for line in output.splitlines():
        if line and not line.startswith(" ") and line.endswith(":"):
            lines = found.setdefault(line[:-1], [])
        elif line.strip():
            lines.append(" ".join(line.split()))
    return found


def run(program, path):
    done = subprocess.run([program, "-S", "-x", path], capture_output=True, text=True, timeout=60)
    return sections(done.stdout)


def common(ours, theirs):
    """How many lines both have, and how many there are."""
    rest = list(ours)
    both = 0
    for line in theirs:
        if line in rest:
            rest.remove(line)
            both += 1
    return both, max(len(ours), len(theirs))


PARTS = {"placements": "Revised Cluster Status", "transition lines": "Transition Summary",
         "actions": "Executing Cluster Transition"}


def compare(ours, theirs, count, first, directory):
    kind = KINDS[os.environ.get("KIND", "usual")]
    totals = {part: [0, 0] for part in PARTS}
    equal = 0
    for seed in range(first, first + count):
        path = os.path.join(directory, f"{seed}.xml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(kind(seed).text())
        mine, reference = run(ours, path), run(theirs, path)
        same = mine == reference
        equal += same
        for part, title in PARTS.items():
            both, lines = common(mine.get(title, []), reference.get(title, []))
            totals[part][0] += both
            totals[part][1] += lines
        if same:
            os.remove(path)
    result = {part: 100.0 * both / lines if lines else 100.0 for part, (both, lines) in totals.items()}
    for part, percent in result.items():
        print(f"{part}: {percent:.2f} % of {totals[part][1]} lines")
    print(f"clusters equal in everything: {equal} of {count}")
    return result


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "show":
        print(KINDS[os.environ.get("KIND", "usual")](int(sys.argv[2])).text(), end="")
        return 0
    if len(sys.argv) < 5 or sys.argv[1] != "compare":
        print(__doc__)
        return 2
    first = int(sys.argv[5]) if len(sys.argv) > 5 else 1
    if len(sys.argv) > 6:
        os.makedirs(sys.argv[6], exist_ok=True)
        result = compare(sys.argv[2], sys.argv[3], int(sys.argv[4]), first, sys.argv[6])
    else:
        with tempfile.TemporaryDirectory() as directory:
            result = compare(sys.argv[2], sys.argv[3], int(sys.argv[4]), first, directory)
    return 0 if result["placements"] >= 95 and result["transition lines"] >= 90 else 1


sys.exit(main())
