// A broker says that it is there: at every start, with a new incarnation. With one voter and one broker this
// is also where leaders are elected: every partition whose replica it holds gets it as leader under a new
// epoch, so that nothing of the former incarnation passes for the new one's.

import type { NodeId } from "@millrace/protocol";
import type { MetadataImage, PartitionImage } from "../metadata-image.js";
import type { MetadataRecord } from "../metadata-record.js";
import type { CommandOutcome } from "./command.js";

/** The format and meaning of the metadata log; raised when a record kind or its meaning changes. */
export const METADATA_VERSION_FEATURE = "metadata.version";
export const METADATA_VERSION = 1;

export interface RegisterBrokerRequest {
  readonly nodeId: NodeId;
  /** Drawn at the broker's start. */
  readonly incarnationId: string;
  readonly directoryId: string;
  readonly url: string | null;
  readonly rack: string | null;
  readonly softwareVersion: string;
}

export interface RegisterBrokerResponse {
  readonly brokerEpoch: number;
}

export function registerBroker(
  image: MetadataImage,
  request: RegisterBrokerRequest,
): CommandOutcome<RegisterBrokerResponse> {
  const known = image.brokers.get(request.nodeId);
  if (known !== undefined && known.directoryId !== request.directoryId) {
    return {
      ok: false,
      error: "INCONSISTENT_CLUSTER_ID",
      message: `node ${request.nodeId} is registered with data directory ${known.directoryId}, not ${request.directoryId}`,
    };
  }
  const brokerEpoch = (known?.brokerEpoch ?? -1) + 1;
  return {
    ok: true,
    records: [
      ...featureRecords(image),
      { kind: "registerBroker", body: { ...request, brokerEpoch } },
      ...electionRecords(image, request.nodeId),
    ],
    response: { brokerEpoch },
  };
}

function featureRecords(image: MetadataImage): MetadataRecord[] {
  return image.features.has(METADATA_VERSION_FEATURE)
    ? []
    : [
        {
          kind: "featureLevel",
          body: { name: METADATA_VERSION_FEATURE, level: METADATA_VERSION },
        },
      ];
}

function* electionRecords(image: MetadataImage, nodeId: NodeId): Iterable<MetadataRecord> {
  for (const topic of image.topicsById.values()) {
    for (const partition of topic.partitions) {
      if (mayLead(partition, nodeId)) {
        yield {
          kind: "partitionChange",
          body: {
            topicId: topic.topicId,
            partition: partition.partition,
            leader: nodeId,
            leaderEpoch: partition.leaderEpoch + 1,
            partitionEpoch: partition.partitionEpoch + 1,
            isr: partition.isr,
          },
        };
      }
    }
  }
}

/** Only a member of the ISR may lead: anybody else may lack acknowledged records. */
function mayLead(partition: PartitionImage, nodeId: NodeId): boolean {
  const isVacant = partition.leader === -1 || partition.leader === nodeId;
  return isVacant && partition.isr.includes(nodeId);
}
