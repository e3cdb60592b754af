//! Names of archives in, the Maven group that releases them out: for libraries whose builds leave no coordinates in the archive and
//! whose manifests do not say it. Each row is how Maven Central has them.

/// A whole name, or the start of one where it ends with a hyphen; the group.
const GROUPS: &[(&str, &str)] = &[
    ("spring-aop", "org.springframework"),
    ("spring-aspects", "org.springframework"),
    ("spring-beans", "org.springframework"),
    ("spring-context", "org.springframework"),
    ("spring-context-support", "org.springframework"),
    ("spring-core", "org.springframework"),
    ("spring-expression", "org.springframework"),
    ("spring-instrument", "org.springframework"),
    ("spring-jcl", "org.springframework"),
    ("spring-jdbc", "org.springframework"),
    ("spring-jms", "org.springframework"),
    ("spring-messaging", "org.springframework"),
    ("spring-orm", "org.springframework"),
    ("spring-oxm", "org.springframework"),
    ("spring-r2dbc", "org.springframework"),
    ("spring-test", "org.springframework"),
    ("spring-tx", "org.springframework"),
    ("spring-web", "org.springframework"),
    ("spring-webflux", "org.springframework"),
    ("spring-webmvc", "org.springframework"),
    ("spring-websocket", "org.springframework"),
    ("spring-boot", "org.springframework.boot"),
    ("spring-boot-", "org.springframework.boot"),
    ("spring-security-", "org.springframework.security"),
    ("spring-integration-", "org.springframework.integration"),
    ("spring-session-", "org.springframework.session"),
    ("spring-batch-", "org.springframework.batch"),
    ("spring-kafka", "org.springframework.kafka"),
    ("spring-amqp", "org.springframework.amqp"),
    ("spring-rabbit", "org.springframework.amqp"),
    ("tomcat-embed-", "org.apache.tomcat.embed"),
    ("tomcat-annotations-api", "org.apache.tomcat"),
    ("kafka-clients", "org.apache.kafka"),
    ("kafka-streams", "org.apache.kafka"),
    ("lucene-", "org.apache.lucene"),
    ("elasticsearch", "org.elasticsearch"),
    ("opensearch", "org.opensearch"),
    ("reactor-core", "io.projectreactor"),
    ("reactor-netty-", "io.projectreactor.netty"),
    ("micrometer-", "io.micrometer"),
    ("kotlin-stdlib", "org.jetbrains.kotlin"),
    ("kotlin-stdlib-", "org.jetbrains.kotlin"),
    ("kotlin-reflect", "org.jetbrains.kotlin"),
    ("okhttp", "com.squareup.okhttp3"),
    ("checker-qual", "org.checkerframework"),
    ("bcprov-", "org.bouncycastle"),
    ("bcpkix-", "org.bouncycastle"),
    ("bcutil-", "org.bouncycastle"),
    ("scala-library", "org.scala-lang"),
    ("postgresql", "org.postgresql"),
    ("h2", "com.h2database"),
    ("guice", "com.google.inject"),
    ("guice-", "com.google.inject.extensions"),
];

/// The group; `None` for names that are not in the table.
pub(super) fn known(artifact: &str) -> Option<&'static str> {
    let is_meant = |name: &str| match name.strip_suffix('-') {
        Some(_) => artifact.len() > name.len() && artifact.starts_with(name),
        None => artifact == name,
    };
    GROUPS.iter().find(|(name, _)| is_meant(name)).map(|(_, group)| *group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_or_begin_so() {
        for (artifact, expected) in [
            ("spring-core", Some("org.springframework")),
            ("spring-boot-loader", Some("org.springframework.boot")),
            ("spring-core-x", None),
            ("lucene-", None),
            ("", None),
        ] {
            assert_eq!(known(artifact), expected, "{artifact}");
        }
    }
}
