// The topic whose only partition is the metadata log. It is not in the metadata: nobody creates, deletes or lists it.

export const METADATA_TOPIC = "__cluster_metadata";
/** Kafka's fixed id of the metadata topic. */
export const METADATA_TOPIC_ID = "00000000-0000-0000-0000-000000000001";
