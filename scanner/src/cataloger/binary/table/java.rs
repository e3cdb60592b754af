//! Java's virtual machines, and servers that are recognised by the names of their own archives.

use crate::cataloger::binary::classifier::{Classifier, Look, elf, row};

pub(super) const ALL: &[Classifier] = &[
    row(
        Look::Text,
        "openjdk",
        &["release"],
        &[r#"(?:\A|\n)JAVA_VERSION="([0-9][0-9._]{0,20}(?:-ea)?)""#],
        &["oracle:openjdk"],
    ),
    elf(
        "openjdk",
        &["libjvm.so"],
        &[r"for linux-[a-z0-9]{1,12} JRE \(([0-9][0-9._]{0,20})[-+)]"],
        &["oracle:openjdk"],
    )
    .named("openjdk-vm"),
    elf(
        "openjdk",
        &["bin/java"],
        &[r"\x00java\x00[0-9.]{1,10}\x00([0-9][0-9._]{0,20})[-+\x00]"],
        &["oracle:openjdk"],
    )
    .named("openjdk-launcher"),
    row(
        Look::Text,
        "graalvm",
        &["release"],
        &[r#"(?:\A|\n)GRAALVM_VERSION="([0-9][0-9._]{0,20})""#],
        &["oracle:graalvm"],
    ),
    row(
        Look::Text,
        "tomcat",
        &["RELEASE-NOTES"],
        &[r"Apache Tomcat Version {version}"],
        &["apache:tomcat"],
    ),
    // The whole history of changes, newest first: larger than what is read as a text.
    row(
        Look::Stream,
        "jetty",
        &["VERSION.txt"],
        &[r"jetty-({digits}(?:\.v[0-9]{8})?) - [0-9]{2} [A-Z][a-z]{2,8} [0-9]{4}\s"],
        &["eclipse:jetty"],
    ),
    row(
        Look::Path,
        "jetty",
        &["lib/jetty-server-*.jar", "java/jetty-server-*.jar"],
        &[r"-({digits}(?:\.v[0-9]{8})?)\.jar\z"],
        &["eclipse:jetty"],
    )
    .named("jetty-server"),
    row(
        Look::Path,
        "elasticsearch",
        &["lib/elasticsearch-[0-9]*.jar", "lib/elasticsearch-*.jar"],
        &[r"/elasticsearch-{version}\.jar\z"],
        &["elastic:elasticsearch"],
    ),
    row(
        Look::Path,
        "opensearch",
        &["lib/opensearch-*.jar"],
        &[r"/opensearch-{version}\.jar\z"],
        &["amazon:opensearch"],
    ),
    row(
        Look::Path,
        "logstash",
        &["logstash-core.gemspec", "logstash-core-*.jar", "logstash-core/*"],
        &[r"/logstash-core-{version}\.(?:jar|gemspec)\z"],
        &["elastic:logstash"],
    ),
    row(
        Look::Path,
        "solr",
        &["solr-core-*.jar"],
        &[r"/solr-core-{version}\.jar\z"],
        &["apache:solr"],
    ),
    row(
        Look::Path,
        "cassandra",
        &["apache-cassandra-*.jar"],
        &[r"/apache-cassandra-({digits}(?:-(?:rc|beta|alpha)[0-9])?)\.jar\z"],
        &["apache:cassandra"],
    ),
    row(
        Look::Path,
        "kafka",
        &["libs/kafka_*.jar"],
        &[r"/kafka_[0-9.]{3,5}-{version}\.jar\z"],
        &["apache:kafka"],
    ),
    row(
        Look::Path,
        "zookeeper",
        &["zookeeper-*.jar"],
        &[r"/zookeeper-{version}\.jar\z"],
        &["apache:zookeeper"],
    ),
    row(
        Look::Path,
        "activemq",
        &["lib/activemq-broker-*.jar"],
        &[r"/activemq-broker-{version}\.jar\z"],
        &["apache:activemq"],
    ),
    row(
        Look::Path,
        "hadoop",
        &["hadoop-common-*.jar"],
        &[r"/hadoop-common-{version}\.jar\z"],
        &["apache:hadoop"],
    ),
    row(
        Look::Path,
        "spark",
        &["jars/spark-core_*.jar"],
        &[r"/spark-core_[0-9.]{3,5}-{version}\.jar\z"],
        &["apache:spark"],
    ),
    row(
        Look::Path,
        "keycloak",
        &["org.keycloak.keycloak-core-*.jar", "keycloak-core-*.jar"],
        &[r"keycloak-core-{version}(?:\.Final)?\.jar\z"],
        &["redhat:keycloak"],
    ),
];
