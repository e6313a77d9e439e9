#include "config/dump_xml.hpp"

#include <gtest/gtest.h>

#include "config/parser.hpp"
#include "tests/support/memory_files.hpp"

namespace replicator::config {
namespace {

TEST(DumpXml, HasTheElementsOfTheOriginal) {
  test::MemoryFiles files;
  files.files["x.conf"] = R"(global { minor-count 64; dialog-refresh 5; usage-count no; }
common { handlers { split-brain "a <b> & \"c\" 'd'"; } }
resource r0 {
  options { cpu-mask 3; }
  on alpha beta { device minor 4; disk /dev/a; meta-disk /dev/m[2]; address 10.0.0.1:7000; }
  on bravo { device /dev/drbd5; disk /dev/b; meta-disk internal; address ipv6 [fd00::2]:7000; }
  connection { host alpha port 7001; host bravo; net { ping-int 3; } }
}
)";
  Diagnostics diagnostics;
  const Config config = load(files, "x.conf", diagnostics);
  EXPECT_EQ(diagnostics.text(), "");
  const auto locals = resolve(config, HostFacts{"alpha", {}});
  EXPECT_EQ(dump_xml(config, locals), R"(<config file="x.conf">
    <global>
        <minor-count count="64"/>
        <dialog-refresh refresh="5"/>
    </global>
    <common>
        <section name="handlers">
            <option name="split-brain" value="a &lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;"/>
        </section>
    </common>
    <resource name="r0" conf-file-line="x.conf:3">
        <host name="alpha beta">
            <volume vnr="0">
                <device minor="4"></device>
                <disk>/dev/a</disk>
                <meta-disk index="2">/dev/m</meta-disk>
            </volume>
            <address family="ipv4" port="7000">10.0.0.1</address>
        </host>
        <host name="bravo">
            <volume vnr="0">
                <device minor="5">/dev/drbd5</device>
                <disk>/dev/b</disk>
                <meta-disk>internal</meta-disk>
            </volume>
            <address family="ipv6" port="7000">fd00::2</address>
        </host>
        <connection>
            <host name="alpha"><address family="ipv4" port="7001">10.0.0.1</address></host>
            <host name="bravo"><address family="ipv6" port="7000">fd00::2</address></host>
            <section name="net">
                <option name="ping-int" value="3"/>
            </section>
        </connection>
        <section name="options">
            <option name="cpu-mask" value="3"/>
        </section>
    </resource>
</config>
)");
}

}  // namespace
}  // namespace replicator::config
