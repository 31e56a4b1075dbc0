export { startS3Server, type S3Server } from "../../tools/s3-server.ts";
